// The recipes of docs/clients-frameworks.md, which recipe-bundle.ts compiles and bundles.
declare module 'recipe:*';
