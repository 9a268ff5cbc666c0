// Lets a page use the EventSource of the browser or that of `nestjs-event-stream/client`, as its address says: `?client=ours`.
// The pages' own scripts are modules, which run behind this one and find whichever it is under the same name.
import { EventSource } from '/client.js';

const names = { browser: 'the browser', ours: 'nestjs-event-stream/client' };
const params = new URLSearchParams(location.search);
const chosen = params.get('client') === 'ours' ? 'ours' : 'browser';
if (chosen === 'ours') window.EventSource = EventSource;

const select = document.createElement('select');
for (const [value, text] of Object.entries(names)) select.append(new Option(text, value, false, value === chosen));
select.id = 'client';
select.addEventListener('change', () => {
  params.set('client', select.value);
  location.search = params;
});
const label = document.createElement('label');
label.append('EventSource of ', select);
document.querySelector('h1').after(label);

for (const link of document.querySelectorAll('a')) link.search = location.search;
