/** Keeps the end of a growing text in view, until the reader scrolls up; a button, or scrolling down, takes it up again. */
export class Follower {
  #end;
  #button;
  #isFollowing = false;
  #lastY = scrollY;

  constructor(end, button) {
    [this.#end, this.#button] = [end, button];
    addEventListener('scroll', () => this.#hear(), { passive: true });
    button.addEventListener('click', () => {
      this.start();
      this.follow();
    });
  }

  start() {
    this.#isFollowing = true;
    this.#button.hidden = true;
  }

  /** The text does not grow any more. */
  stop() {
    this.#isFollowing = false;
    this.#button.hidden = true;
  }

  /** To be called when the text has grown. */
  follow() {
    const hiddenPx = this.#hiddenPx();
    if (hiddenPx <= 0) return;
    if (this.#isFollowing) scrollBy(0, hiddenPx);
    else this.#button.hidden = false;
  }

  #hear() {
    const isUp = scrollY < this.#lastY;
    this.#lastY = scrollY;
    if (isUp) this.#isFollowing = false;
    if (this.#hiddenPx() <= 0) this.start();
  }

  #hiddenPx() {
    return this.#end.getBoundingClientRect().bottom + 16 - innerHeight;
  }
}
