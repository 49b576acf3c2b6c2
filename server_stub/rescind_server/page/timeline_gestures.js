// @ts-check
/**
 * Fingers and pens on a timeline: one drags the part of the time that is shown, two zoom it. A mouse drags the axis. Moving up
 * and down is the browser's own scrolling.
 */

export class Gestures {
  /**
   * @param {HTMLElement} axis
   * @param {HTMLElement} rows
   * @param {{zoom: (factor: number, around: number) => void, pan: (part: number) => void}} timeline
   */
  constructor(axis, rows, timeline) {
    this.axis = axis;
    this.timeline = timeline;
    /** Where each finger is that touches it. @type {Map<number, number>} */
    this.fingers = new Map();
    for (const place of [axis, rows]) {
      place.addEventListener("pointerdown", (event) => this.down(event, place));
      place.addEventListener("pointermove", (event) => this.move(event));
      for (const end of ["pointerup", "pointercancel"]) {
        place.addEventListener(end, (event) => this.fingers.delete(/** @type {PointerEvent} */ (event).pointerId));
      }
    }
  }

  /** @param {number} x on the screen @returns {number} which place of the axis that is, from 0 to 1 */
  placeOf(x) {
    const bounds = this.axis.getBoundingClientRect();
    return Math.min(1, Math.max(0, (x - bounds.left) / Math.max(1, bounds.width)));
  }

  /**
   * @param {PointerEvent} event
   * @param {HTMLElement} place
   */
  down(event, place) {
    // In the rows a mouse selects.
    if (event.button !== 0 || (event.pointerType === "mouse" && place !== this.axis)) return;
    this.fingers.set(event.pointerId, event.clientX);
    if (place === this.axis) place.setPointerCapture(event.pointerId);
  }

  /** @param {PointerEvent} event */
  move(event) {
    const before = this.fingers.get(event.pointerId);
    if (before === undefined || before === event.clientX) return;
    const others = [...this.fingers].filter(([id]) => id !== event.pointerId).map(([, x]) => x);
    if (others.length === 0) this.timeline.pan((before - event.clientX) / Math.max(1, this.axis.clientWidth));
    else {
      const [other] = others;
      const factor = Math.max(10, Math.abs(before - other)) / Math.max(10, Math.abs(event.clientX - other));
      this.timeline.zoom(factor, this.placeOf((event.clientX + other) / 2));
    }
    this.fingers.set(event.pointerId, event.clientX);
  }
}
