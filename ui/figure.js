// The browser's side of LiveFigure. Gradio runs it once for each mounted figure, with
// `element`, `props`, `trigger` and `watch` in scope.
const caption = element.querySelector("figcaption");
const plot = element.querySelector(".lab-plot");
// A finger that drags a plot means to scroll the page.
const isTouch = matchMedia("(pointer: coarse)").matches;
// Narrower than this, names stand below a plot and not at the ends of its lines.
const NARROW = 420;
const MOST_FOR_NAMES = 0.3;
const MOST_UNNAMED = 2;
const NAME_ROW = 19;
const LETTER = 7;
const MARK = 45;
const SMALL = 10;
const HALF_A_WORD = 24; // plotly leaves out what an axis says at its end where it would run out
const STEP_BACK = 1.25; // from a solid figure, whose height would fill a narrow plot's width
const PNG = { format: "png", width: 1000, height: 560, scale: 2 };
let shown = "";
let isDrawing = false;

function loadPlotly() {
  // One copy for all figures of the page.
  window.labPlotly ??= new Promise((resolve, reject) => {
    const script = document.createElement("script");
    const { root, api_prefix } = window.gradio_config;
    script.src = `${root}${api_prefix ?? "/gradio_api"}/file=${encodeURI(props.library)}`;
    script.onload = () => resolve(window.Plotly);
    script.onerror = () => {
      window.labPlotly = undefined;
      reject(new Error("plotly.min.js was not served"));
    };
    document.head.append(script);
  });
  return window.labPlotly;
}

function isDark() {
  return document.body.classList.contains("dark");
}

function plain(text) {
  return new DOMParser().parseFromString(text ?? "", "text/html").body.textContent;
}

// Units stay on the line of their numbers.
function unbroken(text) {
  return text.replace(/(\d) (%|ms|images\/s|queries\/s)/g, "$1\u00a0$2");
}

// The figure in the theme's colours.
function themed(json, dark) {
  const twins = JSON.parse(json).layout.meta?.dark ?? {};
  const text = dark ? json.replace(/#[0-9a-f]{6}/g, colour => twins[colour] ?? colour) : json;
  const figure = JSON.parse(text);
  figure.layout.template = props.templates[dark ? "dark" : "light"];
  return figure;
}

// As zoomed, but titled and on white: a picture leaves the page for documents.
function downloadPng() {
  const { data, layout } = themed(props.value, false);
  for (const [name, part] of Object.entries(plot._fullLayout)) {
    if (/^[xy]axis\d*$/.test(name) && !part.autorange)
      layout[name] = { ...layout[name], range: [...part.range], autorange: false };
    if (/^scene\d*$/.test(name)) layout[name] = { ...layout[name], camera: plot.layout[name].camera };
  }
  Object.assign(layout, { paper_bgcolor: "#ffffff", width: PNG.width, height: PNG.height });
  layout.margin = { ...layout.margin, t: 60, l: layout.margin?.l || 12 };
  const filename = caption.textContent.toLowerCase().replace(/[^a-z0-9.]+/g, "-").slice(0, 60);
  return window.Plotly.downloadImage({ data, layout }, { ...PNG, filename });
}

function configuration(Plotly, data) {
  const isSolid = data.some(trace => trace.type === "surface");
  const png = { name: "png", title: "Save as PNG", icon: Plotly.Icons.camera, click: downloadPng };
  return {
    displaylogo: false,
    displayModeBar: data.length > 0,
    modeBarButtons: [isSolid ? [png, "resetCameraDefault3d"] : [png, "zoom2d", "resetScale2d"]],
    showTips: false,
  };
}

function stepBack({ scene }) {
  for (const axis of ["x", "y", "z"]) scene.camera.eye[axis] *= STEP_BACK;
}

// Names at the ends of lines leave a narrow plot no room: they become a legend below it.
function narrowed(data, layout, width) {
  const isName = note => note.xref === "paper" && note.x === 1 && note.xanchor === "left";
  const names = (layout.annotations ?? []).filter(isName);
  const listed = data.filter(trace => trace.name && trace.showlegend !== false);
  const isCrowded = layout.margin?.r > MOST_FOR_NAMES * width;
  const more = listed.length - names.length;
  if (!isCrowded || !names.length || more < 0 || more > MOST_UNNAMED) return 0;
  layout.annotations = layout.annotations.filter(note => !isName(note));
  layout.margin = { ...layout.margin, r: HALF_A_WORD };
  layout.showlegend = true;
  const longest = Math.max(...listed.map(trace => trace.name.length));
  if (MARK + LETTER * longest > width) layout.legend = { ...layout.legend, font: { size: SMALL } };
  const inRow = Math.max(1, Math.floor((0.7 * width) / (MARK + LETTER * longest)));
  return Math.ceil(listed.length / inRow) * NAME_ROW;
}

async function draw() {
  const width = plot.clientWidth; // 0 in a hidden tab: the size observer calls again
  const wanted = `${isDark()} ${width} ${props.value}`;
  if (!props.value || !width || wanted === shown || isDrawing) return;
  isDrawing = true;
  try {
    const Plotly = await loadPlotly();
    const isFirst = !shown;
    const { data, layout } = themed(props.value, isDark());
    caption.textContent = unbroken(plain(layout.title?.text));
    delete layout.title;
    if (width < NARROW && layout.scene) stepBack(layout);
    const below = width < NARROW ? narrowed(data, layout, width) : 0;
    plot.style.height = `${props.height + below}px`;
    Object.assign(layout, { width, height: plot.clientHeight });
    if (isTouch) layout.dragmode = false;
    await Plotly.react(plot, data, layout, configuration(Plotly, data));
    if (isFirst) plot.on("plotly_click", reportClick);
    describe();
    shown = wanted;
  } catch (error) {
    caption.textContent = `This figure can't be drawn (${error.message}): reload the page.`;
    return;
  } finally {
    isDrawing = false;
  }
  draw(); // what arrived meanwhile
}

function describe() {
  plot.querySelectorAll("svg.main-svg").forEach((svg, number) => {
    svg.setAttribute(...(number ? ["aria-hidden", "true"] : ["role", "img"]));
    if (!number) svg.setAttribute("aria-label", caption.textContent);
  });
}

function clear() {
  if (!shown) return;
  window.Plotly.purge(plot);
  caption.textContent = shown = "";
}

function reportClick({ points: [point] }) {
  trigger("click", { customdata: point.customdata, x: point.x, y: point.y, name: point.data.name });
}

watch("value", () => (props.value ? draw() : clear()));
new ResizeObserver(draw).observe(plot);
const themes = new MutationObserver(() => (element.isConnected ? draw() : themes.disconnect()));
themes.observe(document.body, { attributeFilter: ["class"] });
draw();
