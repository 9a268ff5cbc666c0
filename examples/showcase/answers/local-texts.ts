/** What the local model has to say: the first text whose words are in the question. */
const TEXTS: readonly (readonly [words: RegExp, text: string])[] = [
  [
    /\b(retry|backoff|typescript|function|code|javascript)\b/i,
    `\
Here is a small one that waits longer after each failure, and gives up when its caller does:

\`\`\`ts
export async function retry<T>(
  work: (signal: AbortSignal) => Promise<T>,
  { attempts = 5, firstMs = 200, signal = new AbortController().signal } = {},
): Promise<T> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await work(signal);
    } catch (error) {
      if (attempt === attempts || signal.aborted) throw error;
      const waitMs = firstMs * 2 ** (attempt - 1) * (0.5 + Math.random());
      await new Promise((resolve) => setTimeout(resolve, waitMs));
    }
  }
}
\`\`\`

Three things are worth knowing:

- **The wait is random.** A thousand clients that fail together would otherwise come back together, and fail again.
- **The last error is thrown**, not a new one that hides it. Whoever reads the log wants the cause.
- **Only repeat what may be done twice.** A payment whose answer was lost may have gone through.

If the server says \`Retry-After\`, believe it: it knows more than any formula.`,
  ],
  [
    /\b(soup|recipe|cook|dinner|eat|lentils?)\b/i,
    `\
A lentil soup is ready in half an hour, and is better the next day.

### You need

- 250 g red lentils
- 1 onion, 2 carrots, 2 cloves of garlic
- 1 tablespoon of tomato paste
- 1 teaspoon each of cumin and smoked paprika
- 1.2 l of vegetable stock
- half a lemon

### How

1. Soften the chopped onion and carrots in olive oil, about eight minutes. Do not hurry this part: it is where the taste comes from.
2. Add garlic, spices and tomato paste, and stir for a minute until it smells good.
3. Add the lentils and the stock, and let it simmer for 18 minutes.
4. Purée half of it. That way it is creamy and still has something to chew.
5. Season with salt and the juice of the lemon, *at the end*, or the acid keeps the lentils hard.

Yoghurt and toasted bread go well with it. For more heat, fry a spoonful of chilli flakes in butter and pour it over the plates.`,
  ],
  [
    /\b(trip|travel|lisbon|weekend|pack|holiday)\b/i,
    `\
Two days in Lisbon are enough to fall for it, if you do not try to see everything.

**Saturday.** Begin in *Alfama* before ten, while the lanes are cool and empty, and walk up to the viewpoint of Santa Luzia. Take the ferry to Cacilhas for lunch: ten minutes, grilled fish, and the whole city in front of you. In the late afternoon go to the Gulbenkian garden, which is where people from Lisbon rest from Lisbon. Dinner is late; nobody will mind if you come at nine.

**Sunday.** The train along the river to *Belém* takes seven minutes. See the cloister, skip the queue of the tower, and eat one pastel de nata warm, standing at the counter. In the afternoon tram 28 is full; walk its line downhill instead.

What to bring:

- shoes with a real sole, because the pavement is polished stone
- a light jacket for the evening wind from the Atlantic
- some coins for the ferry and for coffee

One last thing: the hills are not a problem if you go up by lift and come down on foot.`,
  ],
  [
    /\b(sky|blue|sunset|light|physics|red)\b/i,
    `\
Because air scatters short waves of light far more than long ones.

Sunlight is a mixture of all colours. On its way through the air it meets molecules that are much smaller than its wavelength, and these send a part of it off in all directions. How much depends very strongly on the colour: half the wavelength is scattered **sixteen times** as much. So blue light reaches your eye from every part of the sky, and red light mostly comes straight from the sun.

Two questions usually follow.

*Why is it not violet, then?* Violet is scattered even more. But the sun gives off less of it, the upper air takes some of that away, and our eyes are less sensitive to it. What is left looks blue.

*Why are sunsets red?* In the evening the light travels through some forty times as much air. Nearly all the blue has been scattered out of it before it arrives, and what remains is orange and red. Dust and smoke help, which is why the finest sunsets come after a storm or a fire far away.

On Mars it is the other way round: the dust there scatters red by day, and the sun sets in blue.`,
  ],
  [
    /\b(sql|query|postgres|database|index|slow)\b/i,
    `\
Ask the database first; it usually knows.

\`\`\`sql
EXPLAIN (ANALYZE, BUFFERS)
SELECT * FROM orders
WHERE customer_id = 42 AND status = 'open'
ORDER BY created_at DESC
LIMIT 20;
\`\`\`

Read the plan from the inside out, and look for these:

1. **\`Seq Scan\` on a large table.** An index is missing, or cannot be used because the column stands inside a function.
2. **Estimated and actual rows that are far apart.** The statistics are old: run \`ANALYZE orders\`.
3. **A \`Sort\` that spills to disk.** An index in the right order saves it.

Here one index does all three things, because it filters and is already sorted:

\`\`\`sql
CREATE INDEX CONCURRENTLY orders_open
ON orders (customer_id, created_at DESC)
WHERE status = 'open';
\`\`\`

It is partial, so it stays small while the closed orders pile up. Measure again afterwards: an index that is not used only makes writes slower.`,
  ],
  [
    /\b(resume|reload|stream|sse|events?|run|reconnect)\b/i,
    `\
You can watch it happen: reload this page while these words are still arriving.

The answer is a **run**. Whoever asks starts it, but does not own it: it writes into a log, piece by piece, and everybody who watches is a reader with a place in that log. The window that has asked is one of them, a second window is another, and your phone may be the third.

So there is only one movement, reading on from a place:

- A page that is *loaded anew* begins at the first piece. What is there comes at once, and the rest as it is written.
- A connection that *breaks* goes on behind the last id it has seen. You find these ids in the frames beside this text.
- A reader that is *slow* stands further back. It delays nobody else, and nothing piles up for it.

The end of an answer is an entry of the log, too: that it is complete, that somebody has stopped it, or that its node has died. The first one counts, and every reader comes to it. That is why the other window knows within a moment when you press **Stop** here.

\`\`\`ts
const run = await runs.start('chats/42/answer', ({ signal }) => model.stream(question, { signal }));
\`\`\`

That line is most of what the server does.`,
  ],
  [
    /^\W*(hi|hello|hey|good (morning|evening)|thanks|thank you)\b/i,
    `Hello! Ask me for a recipe, a weekend in Lisbon, a function in TypeScript, or why the sky is blue.`,
  ],
];

/** The answer to a question. One that nothing was written for is told so, and what could be asked. */
export function answerTo(question: string): string {
  const [, text] = TEXTS.find(([words]) => words.test(question)) ?? [];
  return text ?? elsewhere(question);
}

function elsewhere(question: string): string {
  const asked = question.length > 80 ? `${question.slice(0, 79).trimEnd()}…` : question;
  return `\
“${asked}” is a good question, and an honest answer is that I do not know. I am no language model: I am a few texts that were written beforehand, and I choose one by the words that I find in a question.

These I can tell you something about:

- how an answer survives a reload
- a function in TypeScript that tries again
- a slow query in Postgres
- a recipe for lentil soup
- a weekend in Lisbon
- why the sky is blue

For a real model set \`OPENAI_API_KEY\`, or \`OPENAI_BASE_URL\` for a server of your own, and start this again:

\`\`\`sh
OPENAI_BASE_URL=http://localhost:11434/v1 OPENAI_MODEL=llama3.2 npm start
\`\`\`

Everything else on this page stays as it is: the answers are runs, whoever writes them.`;
}
