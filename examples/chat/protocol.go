package main

import (
	"encoding/json"
	"fmt"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/tandem-ws/tandem/examples/chat/store"
)

// The wire protocol as values: what a client may send, what the server
// answers, and the limits both agree on. PROTOCOL.md is its description.

const (
	subprotocol     = "chat.v1+json"
	protocolVersion = 1
)

// The limits on what a client sends. All count UTF-8 bytes, but for the id.
const (
	maxTextBytes    = 2000
	maxNickBytes    = 24
	maxRoomBytes    = 32
	maxIDCharacters = 64
	// maxClientBytes is the longest name that a client may give itself.
	maxClientBytes = 64
	// maxSeen is how many rooms one request for unread counts may name.
	maxSeen = 20
	// maxFrameBytes is the longest message that is read at all, which leaves
	// room for a text in which each character is escaped. Over it: close 1009.
	maxFrameBytes = 16 << 10
)

// What a client can ask for.
type (
	// join enters a room, and leaves the one before.
	join struct {
		room, nick string
		client     string // what it called itself when it was here before
		after      uint64 // the last message that it has seen
		epoch      string // of that number
	}
	// say speaks in the room that was entered.
	say struct{ id, text string }
	// typing tells the others in the room that something is being written.
	typing struct{}
	// ping asks for an answer, so that the client knows how long one takes.
	ping struct{ id string }
	// listRooms asks for all rooms, and how much is unread in some.
	listRooms struct{ seen map[string]uint64 }
)

// clientMessage is a message from a client as it is on the wire.
type clientMessage struct {
	Type   string            `json:"type"`
	Room   string            `json:"room"`
	Nick   string            `json:"nick"`
	Client string            `json:"client"`
	After  uint64            `json:"after"`
	Epoch  string            `json:"epoch"`
	ID     string            `json:"id"`
	Text   string            `json:"text"`
	Seen   map[string]uint64 `json:"seen"`
}

// readMessage turns a client's message into what it asks for. It keeps nothing
// of data.
func readMessage(data []byte) (request any, problem *errorMessage) {
	var m *clientMessage
	if err := json.Unmarshal(data, &m); err != nil || m == nil {
		return nil, newError(codeBadJSON, "")
	}
	switch m.Type {
	case "join":
		switch {
		case !validRoom(m.Room):
			return nil, newError(codeBadRoom, "")
		case !validNick(m.Nick):
			return nil, newError(codeBadNick, "")
		case len(m.Client) > maxClientBytes:
			return nil, newError(codeBadID, "")
		}
		return join{room: m.Room, nick: m.Nick, client: m.Client, after: m.After, epoch: m.Epoch}, nil
	case "say":
		switch {
		case !validID(m.ID):
			return nil, newError(codeBadID, "") // not one to be repeated
		case len(m.Text) > maxTextBytes:
			return nil, newError(codeTooLong, m.ID)
		case strings.TrimSpace(m.Text) == "":
			problem := newError(codeBadJSON, m.ID)
			problem.Text = "A message needs some text."
			return nil, problem
		}
		return say{id: m.ID, text: m.Text}, nil
	case "typing":
		return typing{}, nil
	case "ping":
		if !validID(m.ID) {
			return nil, newError(codeBadID, "")
		}
		return ping{id: m.ID}, nil
	case "rooms":
		if len(m.Seen) > maxSeen {
			return nil, newError(codeTooLong, "")
		}
		for room := range m.Seen {
			if !validRoom(room) {
				return nil, newError(codeBadRoom, "")
			}
		}
		return listRooms{seen: m.Seen}, nil
	}
	return nil, newError(codeUnknownType, "")
}

func validID(id string) bool {
	return id != "" && utf8.RuneCountInString(id) <= maxIDCharacters
}

func validRoom(room string) bool {
	if room == "" || len(room) > maxRoomBytes {
		return false
	}
	for _, r := range room {
		if (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (r < '0' || r > '9') && r != '-' && r != '_' {
			return false
		}
	}
	return true
}

func validNick(nick string) bool {
	if nick == "" || len(nick) > maxNickBytes {
		return false
	}
	previous := ' '
	for _, r := range nick {
		switch {
		case unicode.IsLetter(r), unicode.IsDigit(r), r == '-', r == '_':
		case r == ' ' && previous != ' ':
		case unicode.IsMark(r) && (unicode.IsLetter(previous) || unicode.IsMark(previous)):
			// Many scripts write their vowels as marks on a letter.
		default:
			return false
		}
		previous = r
	}
	return previous != ' '
}

// foldNick returns what is equal for nicknames that differ only in case.
func foldNick(nick string) string {
	return strings.Map(func(r rune) rune {
		least := r
		for other := unicode.SimpleFold(r); other != r; other = unicode.SimpleFold(other) {
			least = min(least, other)
		}
		return least
	}, nick)
}

// What the server sends.
type (
	limitsMessage struct {
		Text  int `json:"text"`
		Nick  int `json:"nick"`
		Room  int `json:"room"`
		Retry int `json:"retry"`
	}
	welcomeMessage struct {
		Type       string        `json:"type"`
		Version    int           `json:"version"`
		Connection string        `json:"connection"`
		Node       string        `json:"node"`
		Storing    bool          `json:"storing"`
		Limits     limitsMessage `json:"limits"`
	}
	joinedMessage struct {
		Type    string            `json:"type"`
		Room    string            `json:"room"`
		Nick    string            `json:"nick"`
		Members []string          `json:"members"`
		Epoch   string            `json:"epoch"`
		Seq     uint64            `json:"seq"`
		Gap     bool              `json:"gap"`
		History []json.RawMessage `json:"history"`
	}
	historyMessage struct {
		Type    string            `json:"type"`
		Room    string            `json:"room"`
		History []json.RawMessage `json:"history"`
	}
	chatMessage struct {
		Type string `json:"type"`
		Room string `json:"room"`
		Seq  uint64 `json:"seq"`
		Prev uint64 `json:"prev"`
		Nick string `json:"nick"`
		Text string `json:"text"`
		At   string `json:"at"`
		ID   string `json:"id"`
	}
	ackMessage struct {
		Type string `json:"type"`
		Room string `json:"room"`
		ID   string `json:"id"`
		Seq  uint64 `json:"seq"`
	}
	noticeMessage struct {
		Type    string   `json:"type"`
		Kind    string   `json:"kind"`
		Room    string   `json:"room"`
		Nick    string   `json:"nick"`
		At      string   `json:"at"`
		Members []string `json:"members,omitzero"`
	}
	typingMessage struct {
		Type string `json:"type"`
		Room string `json:"room"`
		Nick string `json:"nick"`
	}
	stateMessage struct {
		Type    string `json:"type"`
		Storing bool   `json:"storing"`
	}
	pongMessage struct {
		Type string `json:"type"`
		ID   string `json:"id"`
	}
	roomsMessage struct {
		Type  string       `json:"type"`
		Rooms []listedRoom `json:"rooms"`
	}
	listedRoom struct {
		Room    string `json:"room"`
		Members int    `json:"members"`
		Unread  *int   `json:"unread,omitempty"`
	}
	errorMessage struct {
		Type string    `json:"type"`
		Code errorCode `json:"code"`
		Text string    `json:"text"`
		ID   string    `json:"id,omitempty"`
	}
)

// The kinds of notice.
const (
	noticeJoin  = "join"
	noticeLeave = "leave"
)

func newWelcome(connection, node string, storing bool) welcomeMessage {
	return welcomeMessage{
		Type: "welcome", Version: protocolVersion, Connection: connection, Node: node, Storing: storing,
		Limits: limitsMessage{Text: maxTextBytes, Nick: maxNickBytes, Room: maxRoomBytes, Retry: int(retryWithin.Seconds())},
	}
}

// errorCode names what was wrong, for programs.
type errorCode string

// The error codes.
const (
	codeNickTaken   errorCode = "nick_taken"
	codeBadNick     errorCode = "bad_nick"
	codeBadRoom     errorCode = "bad_room"
	codeTooLong     errorCode = "too_long"
	codeTooFast     errorCode = "too_fast"
	codeBadJSON     errorCode = "bad_json"
	codeUnknownType errorCode = "unknown_type"
	codeNotJoined   errorCode = "not_joined"
	codeRoomsFull   errorCode = "rooms_full"
	codeRoomFull    errorCode = "room_full"
	codeBadID       errorCode = "bad_id"
	codeUnavailable errorCode = "unavailable"
	codeReplaced    errorCode = "replaced"
	codeNotYours    errorCode = "not_yours"
)

// retryWithin is how long a client may send a message again. It leaves some of
// the store's window to what is on its way.
const retryWithin = store.Window * 3 / 4

// errorTexts say what was wrong, for people.
var errorTexts = map[errorCode]string{
	codeNickTaken:   "Somebody in this room already goes by that nickname.",
	codeBadNick:     fmt.Sprintf("A nickname has 1 to %d bytes: letters, digits, “-” and “_”, and single spaces between words.", maxNickBytes),
	codeBadRoom:     fmt.Sprintf("A room name has 1 to %d characters: a–z, A–Z, 0–9, “-” and “_”.", maxRoomBytes),
	codeTooLong:     fmt.Sprintf("That message is too long: at most %d bytes.", maxTextBytes),
	codeTooFast:     "That was too fast. Please wait a moment.",
	codeBadJSON:     "The server could not read that message.",
	codeUnknownType: "The server does not know that type of message.",
	codeNotJoined:   "Please join a room first.",
	codeRoomsFull:   "There are too many rooms just now. Please join one that exists.",
	codeRoomFull:    "That room is full. Please try another one.",
	codeUnavailable: "The chat cannot store anything just now. Please try again.",
	codeReplaced:    "You have joined this room on another connection.",
	codeNotYours:    "Your token is for another nickname.",
	codeBadID:       fmt.Sprintf("A message needs an id of 1 to %d characters.", maxIDCharacters),
}

// newError makes the error with that code, about the say with that id if there
// was one.
func newError(code errorCode, id string) *errorMessage {
	return &errorMessage{Type: "error", Code: code, Text: errorTexts[code], ID: id}
}

// encode returns a message as it goes on the wire.
func encode(message any) string {
	var out strings.Builder
	encoder := json.NewEncoder(&out)
	encoder.SetEscapeHTML(false) // the page never takes text for HTML
	_ = encoder.Encode(message)  // cannot fail: strings, numbers and our own JSON
	return strings.TrimSuffix(out.String(), "\n")
}

// formatTime returns a time as it goes on the wire: RFC 3339 with milliseconds.
func formatTime(t time.Time) string { return t.UTC().Format("2006-01-02T15:04:05.000Z") }
