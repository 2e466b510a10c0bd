export default { test: { include: ['contract.vitest.ts'] } };
