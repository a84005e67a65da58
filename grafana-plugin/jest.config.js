// force timezone to UTC to allow tests to work regardless of local timezone
// generally used by snapshots, but can affect specific tests
process.env.TZ = 'UTC';

const scaffold = require('./.config/jest.config');

module.exports = {
  // Jest configuration provided by Grafana scaffolding
  ...scaffold,
  testTimeout: 60000,
  transform: {
    ...scaffold.transform,
    // d3-color is shipped as .mjs, which the scaffold's pattern leaves out
    '^.+\\.mjs$': Object.values(scaffold.transform)[0],
  },
};
