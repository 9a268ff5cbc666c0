// The recipes of docs/clients-frameworks.md, which recipe-bundle.ts compiles and bundles.
declare module 'recipe:*';
// The samples of docs/answers.md, which use-chat-app.ts bundles.
declare module 'sample:*';
