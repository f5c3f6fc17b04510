/** What `doctor` says of one thing. */
export interface Finding {
  readonly what: string;
  readonly state: 'ok' | 'warning' | 'missing';
  readonly says: string;
  /** What to do. */
  readonly fix?: string;
}
