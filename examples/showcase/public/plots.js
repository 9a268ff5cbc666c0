// The four charts of the dashboard.
import uPlot from '/vendor/uPlot.esm.js';
import { clock } from './lib/shell.js';

export const WINDOW_S = 120;

const GIB = 2 ** 30;
const MIB = 2 ** 20;

/** The smallest of these that leaves some air above the highest value. */
const ceilingOf = (steps) => (max) => steps.find((step) => step >= max * 1.1) ?? max * 1.1;
const percent = ceilingOf([4, 10, 20, 50, 100]);
const memoryPercentOf = (s) => (100 * s.memoryUsedBytes) / s.memoryTotalBytes;

/** Each chart: what it draws of a sample, where its axis ends, its figure, and what else is worth saying. */
const plots = [
  {
    id: 'cpu',
    valueOf: (s) => s.cpuPercent,
    ceiling: (max) => Math.min(100, percent(max)),
    tick: (value) => `${value}%`,
    figure: (s) => [s.cpuPercent.toFixed(0), '% busy'],
    detail: (s) => `load average ${s.loadAverage.toFixed(2)}, on ${s.processors} processors`,
  },
  {
    id: 'memory',
    valueOf: memoryPercentOf,
    ceiling: (max) => Math.min(100, percent(max)),
    tick: (value) => `${value}%`,
    figure: (s) => [memoryPercentOf(s).toFixed(1), '%'],
    detail: (s) =>
      `${(s.memoryUsedBytes / GIB).toFixed(2)} of ${(s.memoryTotalBytes / GIB).toFixed(1)} GiB in use, ` +
      `this server ${(s.serverBytes / MIB).toFixed(0)} MiB`,
  },
  {
    id: 'loop',
    valueOf: (s) => s.eventLoopMaxMs,
    ceiling: ceilingOf([2, 4, 10, 20, 40, 100, 200, 400, 1_000, 2_000, 4_000]),
    tick: (value) => (value < 1_000 ? `${value} ms` : `${value / 1_000} s`),
    figure: (s) => [s.eventLoopMaxMs.toFixed(1), 'ms'],
    detail: (s) => `longest of each half second, mean ${s.eventLoopMeanMs.toFixed(2)} ms`,
  },
  {
    id: 'streams',
    valueOf: (s) => s.streams,
    ceiling: ceilingOf([4, 8, 20, 40, 100, 200, 400, 1_000]),
    tick: String,
    isWhole: true,
    figure: (s) => [String(s.streams), 'open'],
  },
];

/**
 * Draws samples into the cards of the page.
 *
 * @param lateRanges the times, in seconds, whose samples came late: they are shaded
 */
export class Plots {
  #samples = [];
  #charts;

  constructor(lateRanges) {
    this.#charts = plots.map((plot) => {
      const card = document.getElementById(plot.id);
      const box = card.querySelector('.plot');
      const chart = new uPlot(
        optionsOf(plot, lateRanges, () => this.#showFigures(chart.cursor.idx)),
        [[], []],
        box,
      );
      new ResizeObserver(() => chart.setSize({ width: box.clientWidth, height: box.clientHeight })).observe(box);
      return { ...plot, card, chart };
    });
    matchMedia('(prefers-color-scheme: dark)').addEventListener('change', () => {
      for (const { chart } of this.#charts) chart.redraw(true);
    });
  }

  draw(samples) {
    this.#samples = samples;
    const times = samples.map((s) => s.at / 1_000);
    for (const { card, chart, valueOf } of this.#charts) {
      card.querySelector('.empty')?.remove();
      chart.setData([times, samples.map(valueOf)]);
    }
    this.#showFigures(this.#charts[0].chart.cursor.idx);
  }

  /** The figures of the sample under the pointer, otherwise of the newest. */
  #showFigures(index) {
    const sample = this.#samples[index] ?? this.#samples.at(-1);
    if (!sample) return;
    for (const { card, figure, detail } of this.#charts) {
      const [value, unit] = figure(sample);
      const small = Object.assign(document.createElement('small'), { textContent: unit });
      card.querySelector('.figure').replaceChildren(value, small);
      if (detail) card.querySelector('.detail').textContent = detail(sample);
    }
  }
}

const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();

function optionsOf({ ceiling, tick, isWhole }, lateRanges, onCursor) {
  const axis = {
    font: `12px ${colour('--sans')}`,
    stroke: () => colour('--muted'),
    grid: { stroke: () => colour('--line'), width: 1 },
    ticks: { show: false },
  };
  return {
    width: 300,
    height: 158,
    padding: [8, 1, 0, 0],
    legend: { show: false },
    cursor: { y: false, drag: { x: false, y: false }, sync: { key: 'machine' }, points: { size: 7 } },
    hooks: { draw: [(chart) => shade(chart, lateRanges)], setCursor: [onCursor] },
    scales: {
      x: { range: (_chart, _min, max) => [max - WINDOW_S, max] },
      y: { range: (_chart, _min, max) => [0, ceiling(max ?? 0)] },
    },
    axes: [
      {
        ...axis,
        size: 24,
        grid: { show: false },
        incrs: [30],
        space: 60,
        values: (chart, ticks) => ticks.map((s) => (hasRoom(chart, s) ? clock(s * 1_000) : '')),
      },
      {
        ...axis,
        size: 50,
        space: 32,
        incrs: isWhole ? [1, 2, 5, 10, 20, 50, 100, 200, 500, 1_000] : undefined,
        values: (_chart, values) => values.map(tick),
      },
    ],
    series: [
      {},
      {
        stroke: () => colour('--accent'),
        fill: () => `${colour('--accent')}1a`,
        width: 2,
        points: { show: false },
        paths: isWhole ? uPlot.paths.stepped({ align: 1 }) : undefined,
      },
    ],
  };
}

/** Whether the time of a tick fits before the edge. */
function hasRoom(chart, seconds) {
  return chart.valToPos(seconds, 'x') < chart.over.clientWidth - 30;
}

function shade(chart, ranges) {
  const { ctx, bbox } = chart;
  ctx.save();
  ctx.beginPath();
  ctx.rect(bbox.left, bbox.top, bbox.width, bbox.height);
  ctx.clip();
  for (const { from, to } of ranges) {
    const [left, right] = [from, to].map((at) => Math.round(chart.valToPos(at / 1_000, 'x', true)));
    ctx.fillStyle = `${colour('--waiting')}38`;
    ctx.fillRect(left, bbox.top, right - left, bbox.height);
    ctx.fillStyle = colour('--waiting');
    for (const edge of [left, right]) ctx.fillRect(edge, bbox.top, 1, bbox.height);
  }
  ctx.restore();
}
