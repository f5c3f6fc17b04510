/** What the fake Claude asks its host, in the shapes of 2.1.330. Pure. */

export const QUESTIONS = {
  questions: [
    {
      question: 'Which color?',
      header: 'Color',
      options: [
        { label: 'Red', description: 'a warm one' },
        { label: 'Blue', description: 'a cold one' },
      ],
      multiSelect: false,
    },
  ],
};

/** One of the suggestions switches the whole session to acceptEdits: a host that echoes them all falls for it. */
export function permissionRequest({ id, name, input }) {
  const request = { subtype: 'can_use_tool', tool_name: name, display_name: name, input, tool_use_id: id };
  if (name === 'AskUserQuestion') return { ...request, requires_user_interaction: true };
  const rules = [{ toolName: name, ruleContent: `${input.command} *` }];
  return {
    ...request,
    description: input.command,
    permission_suggestions: [
      { type: 'addRules', rules, behavior: 'allow', destination: 'localSettings' },
      { type: 'setMode', mode: 'acceptEdits', destination: 'session' },
    ],
  };
}

/** What a `control_response` of the host decides. */
export function decisionOf(response) {
  if (response === undefined)
    return { behavior: 'deny', message: 'Tool permission stream closed before an answer' };
  if (response.subtype === 'error')
    return { behavior: 'deny', message: `Tool permission request failed: Error: ${response.error}` };
  const { behavior } = response.response ?? {};
  if (behavior === 'allow' || behavior === 'deny') return response.response;
  return { behavior: 'deny', message: 'Tool permission request failed: the answer is malformed' };
}
