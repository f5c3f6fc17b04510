#!/usr/bin/env node
// Plain JavaScript that any Node can read: it says in one line which Node is needed, instead of failing on syntax.
var major = Number(process.versions.node.split('.')[0]);
if (process.platform === 'win32') {
  console.error('pilotlight: Windows is not supported yet. It works on Linux and macOS, and in WSL.');
  process.exit(2);
} else if (major < 24) {
  console.error(
    'pilotlight: needs Node 24 or newer; this is Node ' + process.versions.node + '. See https://nodejs.org.',
  );
  process.exit(2);
} else {
  import('../dist/cli/main.js')
    .then(function (cli) {
      return cli.main(process.argv.slice(2));
    })
    .then(
      function (code) {
        process.exitCode = code;
      },
      function (error) {
        console.error('pilotlight: ' + (error && error.message ? error.message : error));
        if (error && error.code === 'ERR_MODULE_NOT_FOUND')
          console.error('  A checkout is built first: npm run build.');
        process.exitCode = 1;
      },
    );
}
