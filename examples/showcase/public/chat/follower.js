/** Keeps the end of a growing text in view, above what covers it, until the reader scrolls up; a button, or scrolling down, takes it up again. */
export class Follower {
  #end;
  #cover;
  #button;
  #isFollowing = true;
  #lastY = scrollY;

  constructor(end, cover, button) {
    [this.#end, this.#cover, this.#button] = [end, cover, button];
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

  /** To be called when the text has grown. */
  follow() {
    const hiddenPx = this.#hiddenPx();
    if (hiddenPx <= 1) return void (this.#button.hidden = true);
    if (this.#isFollowing) scrollBy(0, hiddenPx);
    else this.#button.hidden = false;
  }

  #hear() {
    const isUp = scrollY < this.#lastY;
    this.#lastY = scrollY;
    if (this.#hiddenPx() <= 1) return this.start();
    if (isUp) this.#isFollowing = false;
  }

  #hiddenPx() {
    return this.#end.getBoundingClientRect().bottom - this.#cover.getBoundingClientRect().top;
  }
}
