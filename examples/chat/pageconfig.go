package main

import (
	"encoding/json"
	"errors"
	"net/http"
	"strings"
)

// pageConfig is what the page wants to know before it connects, and cannot see in
// a handshake that fails: whether tokens are needed, and what its own is worth.
type pageConfig struct {
	Tokens  bool   `json:"tokens"`
	Nick    string `json:"nick,omitempty"`    // whose token was shown
	Problem string `json:"problem,omitempty"` // with the token that was shown
}

// tokenProblems say to people what is wrong with a token.
var tokenProblems = map[error]string{
	errBadToken: "That is not a token of this chat.",
	errOldToken: "That token has expired. Please ask for a new one.",
}

// servePageConfig answers GET /config. A token is shown as it is in a handshake of
// programs.
func (n *node) servePageConfig(w http.ResponseWriter, r *http.Request) {
	config := pageConfig{Tokens: n.auth != nil}
	if token, shown := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer "); shown && n.auth != nil {
		var err error
		config.Nick, err = n.auth.check(token, n.now())
		for known, text := range tokenProblems {
			if errors.Is(err, known) {
				config.Problem = text
			}
		}
	}
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	_ = json.NewEncoder(w).Encode(config) // an error is the asker's
}
