// The form by which one comes in: nickname, room, and a token where one is needed.

const FIELD_OF_CODE = {
  nick_taken: "nick",
  bad_nick: "nick",
  not_yours: "nick",
  bad_room: "room",
  room_full: "room",
  rooms_full: "room",
};

// Which field a refusal of the server is about, if any.
export const fieldOf = (code) => FIELD_OF_CODE[code] ?? "";

const find = (id) => document.getElementById(id);

export class JoinForm {
  #form = find("join");
  #fields = { nick: find("nick"), room: find("room"), token: find("token") };
  #enter = find("enter");
  #cancel = find("cancel");
  #canGoBack = false;

  // Handlers: onJoin({nick, room, token}), onCancel().
  constructor({ onJoin, onCancel }) {
    this.#form.addEventListener("submit", (event) => {
      event.preventDefault();
      const { nick, room, token } = this.#fields;
      onJoin({
        nick: nick.value.trim(),
        room: room.value.trim().replace(/^#/, ""),
        token: token.value.trim(),
      });
    });
    this.#cancel.addEventListener("click", onCancel);
  }

  show({ nick, room, canGoBack, focus = true }) {
    document.body.dataset.view = "join";
    find("join-panel").hidden = false;
    find("chat").hidden = true;
    this.#canGoBack = canGoBack;
    this.#fields.nick.value = nick;
    this.#fields.room.value = room;
    this.setBusy(false);
    this.clearError();
    if (!focus) return;
    if (this.#needsToken && this.#fields.token.value === "") this.#fields.token.focus();
    else if (nick === "") this.#fields.nick.focus();
    else (canGoBack ? this.#fields.room : this.#enter).focus();
  }

  setRoom(room) {
    this.#fields.room.value = room;
  }

  get #needsToken() {
    return !find("token-field").hidden;
  }

  // With tokens the nickname is the token's, not the reader's to choose.
  setAccess({ tokens, token, nick }) {
    find("token-field").hidden = !tokens;
    find("nick-field").hidden = tokens;
    if (!tokens) return;
    find("join-lead").textContent = "Pick a room. Everyone who enters the same room talks together.";
    this.#fields.token.value = token;
    if (nick !== "") this.#fields.nick.value = nick;
    if (document.body.dataset.view === "join" && token === "") this.#fields.token.focus();
  }

  // The fields keep what is in them; the sentence says what is wrong.
  showError(text, field = "") {
    find("join-error").textContent = text;
    const input = this.#needsToken && field === "nick" ? this.#fields.token : this.#fields[field];
    input?.setAttribute("aria-invalid", "true");
    (input ?? this.#enter).focus();
  }

  clearError() {
    find("join-error").textContent = "";
    for (const input of Object.values(this.#fields)) input.removeAttribute("aria-invalid");
  }

  setBusy(isBusy) {
    this.#form.setAttribute("aria-busy", String(isBusy));
    this.#enter.textContent = isBusy ? "Joining…" : "Join";
    this.#cancel.textContent = isBusy ? "Cancel" : "Back";
    this.#cancel.hidden = !isBusy && !this.#canGoBack;
  }
}
