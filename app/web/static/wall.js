// Makes the letters of the wall as large as their words take, on whatever screen, after every change.

const FLOOR = 1 / 40; // of the height, or of the width of a screen that is higher: what is read from five metres
const LARGEST = 1 / 11;
const WORDS = [4, 3, 2, 1, 0]; // all; without the reason; without who and when; with titles of two lines; of one
const STEPS = 7; // of a search by halves: to half a pixel

const narrow = window.matchMedia("(max-width: 48rem), (max-height: 26rem)");

function fits(tile) {
  return tile.scrollHeight <= tile.clientHeight && tile.scrollWidth <= tile.clientWidth;
}

// The largest size between two at which an element's words fit; the least if none does.
function largest(element, least, most) {
  const at = (size) => {
    element.style.setProperty("--fit", `${size}px`);
    return fits(element);
  };
  if (at(most)) return most;
  for (let step = 0; step < STEPS; step += 1) {
    const middle = (least + most) / 2;
    if (at(middle)) least = middle;
    else most = middle;
  }
  return least;
}

// Fewer words rather than letters that are too small.
function fitTile(tile, floor) {
  for (const words of WORDS) {
    tile.dataset.words = words;
    const size = largest(tile, floor, innerHeight * LARGEST);
    tile.style.setProperty("--fit", `${size}px`);
    if (fits(tile)) return size;
  }
  return floor;
}

function fit() {
  const screen = document.getElementById("live-state");
  const tiles = [...screen.querySelectorAll(".tile")];
  for (const each of screen.querySelectorAll("[data-fit]")) {
    each.style.removeProperty("--fit");
    delete each.dataset.words;
  }
  if (narrow.matches) return;
  const floor = Math.min(innerHeight, innerWidth) * FLOOR;
  const sizes = tiles.map((tile) => fitTile(tile, floor));
  // One size for all: a wall is read by comparing.
  for (const tile of tiles) tile.style.setProperty("--fit", `${Math.min(...sizes)}px`);
  screen.dataset.fitted = `${innerWidth} ${innerHeight}`;
}

// The pages of the server come without sizes. Countdowns change every second, but hardly ever the room they take.
document.addEventListener("shown", fit);
window.addEventListener("resize", fit);
document.fonts.ready.then(fit);
fit();
