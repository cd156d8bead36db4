package main

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/tandem-ws/tandem/actor"
)

// auth checks tokens: who it is for and until when, signed with a key that only
// the chat and whoever hands out tokens have.
//
//	base64url(JSON) . base64url(HMAC-SHA256 of the first part)
type auth struct{ key []byte }

// minKeyBytes is the length of the shortest key that is taken.
const minKeyBytes = 16

// tokenPrefix begins the subprotocol by which a browser shows its token, since
// it can set no header.
const tokenPrefix = "token."

var (
	errNoToken  = errors.New("a token is needed")
	errBadToken = errors.New("the token is not valid")
	errOldToken = errors.New("the token has expired")
)

// grant is what a token says.
type grant struct {
	Nick    string `json:"nick"`
	Expires int64  `json:"exp"` // Unix seconds
}

// readAuth reads the key from a file.
func readAuth(file string) (*auth, error) {
	data, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	key := []byte(strings.TrimSpace(string(data)))
	if len(key) < minKeyBytes {
		return nil, fmt.Errorf("the key in %s is shorter than %d bytes", file, minKeyBytes)
	}
	return &auth{key: key}, nil
}

// sign makes a token.
func (a *auth) sign(nick string, expires time.Time) string {
	said, _ := json.Marshal(grant{Nick: nick, Expires: expires.Unix()}) // cannot fail
	body := base64.RawURLEncoding.EncodeToString(said)
	return body + "." + base64.RawURLEncoding.EncodeToString(a.mac(body))
}

func (a *auth) mac(body string) []byte {
	h := hmac.New(sha256.New, a.key)
	_, _ = h.Write([]byte(body)) // a hash takes everything
	return h.Sum(nil)
}

// check returns whose token it is.
func (a *auth) check(token string, now time.Time) (nick string, err error) {
	if token == "" {
		return "", errNoToken
	}
	body, signature, _ := strings.Cut(token, ".")
	mac, err := base64.RawURLEncoding.DecodeString(signature)
	if err != nil || !hmac.Equal(mac, a.mac(body)) {
		return "", errBadToken
	}
	said, err := base64.RawURLEncoding.DecodeString(body)
	var g grant
	if err != nil || json.Unmarshal(said, &g) != nil || !validNick(g.Nick) {
		return "", errBadToken
	}
	if now.Unix() >= g.Expires {
		return "", errOldToken
	}
	return g.Nick, nil
}

// tokenOf returns the token that a handshake shows, in a header or, as browsers
// must, among the subprotocols.
func tokenOf(h *actor.Handshake) string {
	if token, ok := strings.CutPrefix(h.Header("Authorization"), "Bearer "); ok {
		return token
	}
	for offered := range strings.SplitSeq(h.Header("Sec-WebSocket-Protocol"), ",") {
		if token, ok := strings.CutPrefix(strings.TrimSpace(offered), tokenPrefix); ok {
			return token
		}
	}
	return ""
}
