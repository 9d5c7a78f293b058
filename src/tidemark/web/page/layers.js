// Where the nodes of a graph stand: in layers by depth, ordered so that few lines cross, folded where a layer is long.
//
// Owns: `layOut`. Promises: plain numbers from plain data, the same for the same graph; every node has a place, whatever the
// lines say, and a circle in the data ends; a line goes between nodes and not behind them, unless there are too many.

const LINES_MAX = 90, LANE = 12, ROUNDS = 8;

// `nodes` are {id, isSource}, `lines` {from, to} by id. `across` layers go from left to right, else from top to bottom. `size` has
// `width` as [least, most], and the `height` of a derived table and of a `source`; `room` is how much there is from side to side.
export function layOut(nodes, lines, { across, size, room }) {
  const known = new Map(nodes.map((one) => [one.id, { id: one.id, isSource: one.isSource, into: [], from: [] }]));
  const drawn = lines.filter(({ from, to }) => from !== to && known.has(from) && known.has(to));
  for (const { from, to } of drawn) join(known, from, to);
  let layers = sortIntoLayers(known);
  const fold = across ? foldAcross(layers, size, room) : { most: 2, width: Math.floor((room - LANE) / 2), gap: 46 };
  const ways = new Map();
  if (across && drawn.length <= LINES_MAX && layers.every((one) => one.length <= fold.most)) {
    leadAround(drawn, layers, known, ways);
    layers = layers.map((layer, depth) => [...layer, ...[...ways.values()].flat().filter((one) => one.depth === depth).map((one) => one.id)]);
  }
  order(layers, known);
  const found = place(layers.filter((one) => one.length), known, fold, { across, size, room });
  return { ...found, routes: new Map(drawn.map((one) => [key(one), route(one, found.boxes, ways.get(key(one)) || [], across)])) };
}

// The ids on each level, from the sources on.
export function levelsOf(nodes, lines) {
  const known = new Map(nodes.map((one) => [one.id, { id: one.id, isSource: one.isSource, into: [], from: [] }]));
  for (const { from, to } of lines) if (from !== to && known.has(from) && known.has(to)) join(known, from, to);
  return sortIntoLayers(known).filter((one) => one.length);
}

export const key = ({ from, to }) => `${from}\n${to}`;

function join(known, from, to) {
  known.get(from).into.push(to);
  known.get(to).from.push(from);
}

function sortIntoLayers(known) {
  const depth = new Map(), open = new Set();
  const measure = (id) => {
    if (depth.has(id)) return depth.get(id);
    if (open.has(id)) return 0;
    open.add(id);
    const one = known.get(id);
    const above = one.from.map(measure);
    const found = one.isSource ? 0 : 1 + Math.max(0, ...above);
    open.delete(id);
    depth.set(id, found);
    return found;
  };
  const layers = [];
  for (const id of known.keys()) (layers[measure(id)] ||= []).push(id);
  return Array.from(layers, (one) => one || []);
}

// As few nodes in a lane as the room allows; then they may be as wide as it allows.
function foldAcross(layers, size, room) {
  const [least, most] = size.width, there = layers.filter((one) => one.length), gaps = there.length - 1;
  const longest = Math.max(1, ...there.map((one) => one.length));
  const columns = (many) => there.reduce((sum, one) => sum + Math.ceil(one.length / many), 0);
  const needs = (many, width, gap) => columns(many) * width + (columns(many) - there.length) * LANE + gaps * gap;
  let many = Math.min(12, longest);
  while (many < longest && needs(many, least, 44) > room) many += 1;
  const wide = (room - needs(many, 0, 44)) / columns(many);
  const width = Math.floor(Math.max(least, Math.min(most, wide)));
  const gap = gaps ? Math.max(44, Math.min(150, (room - needs(many, width, 0)) / gaps)) : 0;
  return { most: many, width, gap };
}

// A line over several layers passes through places of its own in those between.
function leadAround(drawn, layers, known, ways) {
  const depth = new Map(layers.flatMap((layer, at) => layer.map((id) => [id, at])));
  for (const one of drawn) {
    const found = [];
    let last = one.from;
    for (let at = depth.get(one.from) + 1; at < depth.get(one.to); at += 1) {
      const id = `${at}\n${key(one)}`;
      known.set(id, { id, isWay: true, into: [], from: [] });
      join(known, last, id);
      found.push({ id, depth: at });
      last = id;
    }
    if (found.length) join(known, last, one.to);
    ways.set(key(one), found);
  }
}

// Each node moves to the middle of what it is joined with, forth and back a few times.
function order(layers, known) {
  const place = new Map();
  const note = (layer) => layer.forEach((id, at) => place.set(id, (at + 0.5) / layer.length));
  layers.forEach(note);
  for (let round = 0; round < ROUNDS; round += 1) {
    const side = round % 2 === 0 ? "from" : "into";
    for (const layer of round % 2 === 0 ? layers : [...layers].reverse()) {
      const middle = new Map(layer.map((id) => {
        const joined = known.get(id)[side];
        const sum = joined.reduce((total, other) => total + place.get(other), 0);
        return [id, joined.length ? sum / joined.length : place.get(id)];
      }));
      layer.sort((a, b) => middle.get(a) - middle.get(b));
      note(layer);
    }
  }
}

// Along a layer is one direction, from layer to layer the other: `across` only swaps the two.
function place(layers, known, { most, width, gap }, { across, size, room }) {
  const high = (id) => (known.get(id).isWay ? 6 : known.get(id).isSource ? size.source : size.height);
  const space = size.gap, boxes = new Map();
  const folded = layers.map((layer) => {
    const lanes = Math.max(1, Math.ceil(layer.length / (layer.some((id) => known.get(id).isWay) ? layer.length : most)));
    const rows = Math.ceil(layer.length / most);
    return across ? foldInto(lanes, (at) => at % lanes, layer) : foldInto(rows, (at) => Math.floor(at / most), layer);
  });
  const length = (lane) => lane.reduce((sum, id) => sum + (across ? high(id) : width) + space, -space);
  const longest = Math.max(0, ...folded.flat().map(length));
  let depth = 0;
  for (const lanes of folded) {
    for (const lane of lanes) {
      const deep = across ? width : Math.max(...lane.map(high));
      let along = (longest - length(lane)) / 2;
      for (const id of lane) {
        const tall = high(id);
        boxes.set(id, across ? { x: depth, y: along, width, height: tall } : { x: along, y: depth + (deep - tall) / 2, width, height: tall });
        along += (across ? tall : width) + space;
      }
      depth += deep + LANE;
    }
    depth += gap - LANE;
  }
  const total = Math.max(0, depth - gap);
  return { boxes, width: across ? total : Math.max(longest, room), height: across ? longest : total };
}

function foldInto(lanes, laneOf, layer) {
  const found = Array.from({ length: lanes }, () => []);
  layer.forEach((id, at) => found[laneOf(at)].push(id));
  return found.filter((one) => one.length);
}

// The path of a line, as the data of an SVG path.
function route({ from, to }, boxes, way, across) {
  const a = boxes.get(from), b = boxes.get(to), at = (value) => Math.round(value * 10) / 10;
  const start = across ? [a.x + a.width, a.y + a.height / 2] : [a.x + a.width / 2, a.y + a.height];
  const end = across ? [b.x, b.y + b.height / 2] : [b.x + b.width / 2, b.y];
  const between = way.map((one) => boxes.get(one.id)).flatMap((box) => [[box.x, box.y + box.height / 2], [box.x + box.width, box.y + box.height / 2]]);
  const points = [start, ...between, end];
  let path = `M${at(start[0])} ${at(start[1])}`;
  for (let step = 1; step < points.length; step += 1) {
    const [x1, y1] = points[step - 1], [x2, y2] = points[step];
    if (step % 2 === 0) {
      path += `L${at(x2)} ${at(y2)}`;
      continue;
    }
    const bend = across ? Math.max(18, (x2 - x1) / 2) : Math.max(14, (y2 - y1) / 2);
    path += across ? `C${at(x1 + bend)} ${at(y1)} ${at(x2 - bend)} ${at(y2)} ${at(x2)} ${at(y2)}` : `C${at(x1)} ${at(y1 + bend)} ${at(x2)} ${at(y2 - bend)} ${at(x2)} ${at(y2)}`;
  }
  return path;
}

// A place with everything that it comes from and everything that comes from it.
export function joined(lines, id) {
  const found = new Set([id]);
  for (const [here, there] of [["from", "to"], ["to", "from"]]) {
    const open = [id], seen = new Set(open);
    while (open.length) {
      const at = open.pop();
      for (const line of lines) {
        if (line[here] === at && !seen.has(line[there])) {
          seen.add(line[there]);
          found.add(line[there]);
          open.push(line[there]);
        }
      }
    }
  }
  return found;
}
