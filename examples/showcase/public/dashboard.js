import uPlot from '/vendor/uPlot.esm.js';
import { follow, showState } from './shell.js';

const WINDOW_S = 120;
const GIB = 2 ** 30;
const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();

// Each plot: its lines (as functions of a sample), the range of its axis, and its big figure.
const plots = [
  {
    id: 'cpu',
    lines: [(s) => s.cpuPercent, (s) => s.loadPercent],
    range: (max) => [0, Math.max(100, max * 1.1)],
    unit: '%',
    figure: (s) => [s.cpuPercent.toFixed(0), '% busy'],
  },
  {
    id: 'memory',
    lines: [(s) => (100 * s.memoryUsedBytes) / s.memoryTotalBytes],
    range: (max) => [0, max > 40 ? 100 : Math.max(5, max * 2)],
    unit: '%',
    figure: (s) => [((100 * s.memoryUsedBytes) / s.memoryTotalBytes).toFixed(1), '%'],
    detail: (s) =>
      `${(s.memoryUsedBytes / GIB).toFixed(2)} of ${(s.memoryTotalBytes / GIB).toFixed(1)} GiB in use, ` +
      `this server ${(s.serverBytes / 2 ** 20).toFixed(0)} MiB`,
  },
  {
    id: 'loop',
    lines: [(s) => s.eventLoopMaxMs, (s) => s.eventLoopMeanMs],
    range: (max) => [0, Math.max(4, max * 1.1)],
    unit: ' ms',
    figure: (s) => [s.eventLoopMaxMs.toFixed(1), 'ms'],
  },
  {
    id: 'streams',
    lines: [(s) => s.streams],
    range: (max) => [0, Math.max(4, max + 1)],
    unit: '',
    whole: true,
    figure: (s) => [String(s.streams), 'open'],
  },
];

const samples = [];
for (const plot of plots) {
  const card = document.getElementById(plot.id);
  const box = card.querySelector('.plot');
  plot.card = card;
  plot.chart = new uPlot(optionsOf(plot), [[], ...plot.lines.map(() => [])], box);
  new ResizeObserver(() => plot.chart.setSize({ width: box.clientWidth, height: box.clientHeight })).observe(box);
}
matchMedia('(prefers-color-scheme: dark)').addEventListener('change', () => plots.forEach((p) => p.chart.redraw(true)));

function optionsOf({ lines, range, unit, whole, card }) {
  const font = `12px ${colour('--sans')}`;
  const axis = {
    font,
    stroke: () => colour('--muted'),
    grid: { stroke: () => colour('--line'), width: 1 },
    ticks: { show: false },
  };
  const style = [
    { stroke: () => colour('--accent'), fill: () => `${colour('--accent')}1a`, width: 2 },
    { stroke: () => colour('--muted'), width: 1.5 },
  ];
  return {
    width: card.clientWidth,
    height: 200,
    padding: [8, 26, 0, 0],
    legend: { show: false },
    cursor: { y: false, drag: { x: false, y: false }, sync: { key: 'machine' }, points: { size: 7 } },
    hooks: { setCursor: [(chart) => showFigures(chart.cursor.idx)] },
    scales: {
      x: { range: (_chart, _min, max) => [max - WINDOW_S, max] },
      y: { range: (_chart, _min, max) => range(max ?? 0) },
    },
    axes: [
      { ...axis, size: 30, grid: { show: false }, incrs: [30], space: 60, values: (_chart, ticks) => ticks.map(clock) },
      {
        ...axis,
        size: 52,
        space: 36,
        incrs: whole ? [1, 2, 5, 10, 20, 50, 100, 200, 500, 1_000] : undefined,
        values: (_chart, ticks) => ticks.map((tick) => `${tick}${unit}`),
      },
    ],
    series: [
      {},
      ...lines.map((_line, i) => ({
        ...style[i],
        points: { show: false },
        paths: whole ? uPlot.paths.stepped({ align: 1 }) : undefined,
      })),
    ],
  };
}

function clock(seconds) {
  return new Date(seconds * 1_000).toLocaleTimeString([], {
    hour: '2-digit',
    minute: '2-digit',
    second: '2-digit',
    hour12: false,
  });
}

function draw() {
  const newest = samples.at(-1).at;
  while (samples[0].at < newest - WINDOW_S * 1_000) samples.shift();
  const times = samples.map((s) => s.at / 1_000);
  for (const { card, chart, lines } of plots) {
    card.querySelector('.empty')?.remove();
    chart.setData([times, ...lines.map((line) => samples.map(line))]);
  }
  showFigures(plots[0].chart.cursor.idx);
  showCoverage();
}

/** The figures of the sample under the pointer, otherwise of the newest. */
function showFigures(index) {
  const sample = samples[index] ?? samples.at(-1);
  if (!sample) return;
  for (const { card, figure, detail } of plots) {
    const [value, unit] = figure(sample);
    const small = document.createElement('small');
    small.textContent = unit;
    card.querySelector('.figure').replaceChildren(value, small);
    if (detail) card.querySelector('.detail').textContent = detail(sample);
  }
}

function showCoverage() {
  const gaps = samples.slice(1).map((sample, i) => sample.at - samples[i].at);
  const span = Math.round((samples.at(-1).at - samples[0].at) / 1_000);
  const longest = Math.max(0, ...gaps) / 1_000;
  document.getElementById('coverage').textContent =
    `${samples.length} samples of the last ${span} seconds; the longest time between two of them is ${longest.toFixed(1)} s.`;
}

let source;
let lastEventId;
let frame;

function open() {
  const from = lastEventId ? `?lastEventId=${encodeURIComponent(lastEventId)}` : '';
  source = new EventSource(`/api/machine${from}`);
  follow(source);
  source.addEventListener('sample', (event) => {
    lastEventId = event.lastEventId;
    samples.push(JSON.parse(event.data));
    // Two minutes of samples may arrive at once: draw them once.
    frame ??= requestAnimationFrame(() => {
      frame = undefined;
      draw();
    });
  });
  // The place we left off is gone, or the server started anew: what we have no longer joins up.
  source.addEventListener('stream.reset', () => samples.splice(0));
}

const pause = document.getElementById('pause');
pause.addEventListener('click', () => {
  const paused = source.readyState !== EventSource.CLOSED;
  if (paused) source.close();
  else open();
  showState(source.readyState);
  pause.textContent = paused ? 'Go on' : 'Pause the stream';
});

// A new page starts to read two minutes back, so that it is full at once.
({ lastEventId } = await (await fetch('/api/machine/start')).json());
open();
