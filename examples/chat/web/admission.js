// The way in: the form, and the token where the chat needs one.

import { looksLikeToken, lookUpAccess } from "./access.js";
import { JoinForm } from "./joinform.js";
import { recallToken, rememberToken } from "./settings.js";

export class Admission {
  form;
  #handlers;
  #tokens = false;
  #token = recallToken();

  // Handlers: onAsk({nick, room}), onCancel(), onToken(token) when there is one to
  // be shown.
  constructor(handlers) {
    this.#handlers = handlers;
    this.form = new JoinForm({ onJoin: (values) => this.#enter(values), onCancel: handlers.onCancel });
  }

  // Asks whether tokens are needed, and what the one of this tab is worth.
  async begin() {
    const found = await lookUpAccess(this.#token);
    if (!found?.tokens) return;
    this.#tokens = true;
    if (this.#token !== "" && found.nick !== "") {
      this.#use(this.#token, found.nick);
      return;
    }
    this.#token = "";
    this.form.setAccess({ tokens: true, token: "", nick: "" });
  }

  // Why the server may have refused a handshake, or "": a page cannot see it.
  async problem() {
    return this.#tokens ? ((await lookUpAccess(this.#token))?.problem ?? "") : "";
  }

  // A token is looked at first, since it says who one is.
  async #enter({ nick, room, token }) {
    this.form.clearError();
    if (this.#tokens) {
      this.form.setBusy(true);
      const found = looksLikeToken(token) ? await lookUpAccess(token) : { problem: "Paste the token that you were given." };
      this.form.setBusy(false);
      if (found === null || found.problem || !found.nick) {
        this.form.showError(found?.problem || "The chat does not answer. Please try again.", "token");
        return;
      }
      nick = found.nick;
      this.#use(token, nick);
    }
    this.#handlers.onAsk({ nick, room });
  }

  #use(token, nick) {
    this.#token = token;
    rememberToken(token);
    this.#handlers.onToken(token);
    this.form.setAccess({ tokens: true, token, nick });
  }
}
