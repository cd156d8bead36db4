package main

import (
	"encoding/json"
	"reflect"
	"strings"
	"testing"
	"time"
)

func TestReadMessageJudgesEveryField(t *testing.T) {
	for name, test := range map[string]struct {
		data string
		want any
		code errorCode
		id   string
	}{
		"join":                   {data: `{"type":"join","room":"lobby","nick":"ann"}`, want: join{room: "lobby", nick: "ann"}},
		"join again":             {data: `{"type":"join","room":"lobby","nick":"ann","client":"c","after":7,"epoch":"e"}`, want: join{room: "lobby", nick: "ann", client: "c", after: 7, epoch: "e"}},
		"client of 65 bytes":     {data: `{"type":"join","room":"lobby","nick":"ann","client":"` + strings.Repeat("c", 65) + `"}`, code: codeBadID},
		"number below 0":         {data: `{"type":"join","room":"lobby","nick":"ann","after":-1}`, code: codeBadJSON},
		"typing":                 {data: `{"type":"typing"}`, want: typing{}},
		"ping":                   {data: `{"type":"ping","id":"1"}`, want: ping{"1"}},
		"ping without an id":     {data: `{"type":"ping"}`, code: codeBadID},
		"rooms":                  {data: `{"type":"rooms","seen":{"lobby":7}}`, want: listRooms{seen: map[string]uint64{"lobby": 7}}},
		"rooms of a bad name":    {data: `{"type":"rooms","seen":{"a b":7}}`, code: codeBadRoom},
		"too many rooms":         {data: `{"type":"rooms","seen":{"1":1,"2":1,"3":1,"4":1,"5":1,"6":1,"7":1,"8":1,"9":1,"10":1,"11":1,"12":1,"13":1,"14":1,"15":1,"16":1,"17":1,"18":1,"19":1,"20":1,"21":1}}`, code: codeTooLong},
		"unknown fields":         {data: `{"type":"join","room":"a-B_9","nick":"ann","color":{"x":[1]}}`, want: join{room: "a-B_9", nick: "ann"}},
		"room of 32 bytes":       {data: `{"type":"join","room":"` + strings.Repeat("r", 32) + `","nick":"a"}`, want: join{room: strings.Repeat("r", 32), nick: "a"}},
		"room of 33 bytes":       {data: `{"type":"join","room":"` + strings.Repeat("r", 33) + `","nick":"a"}`, code: codeBadRoom},
		"room missing":           {data: `{"type":"join","nick":"ann"}`, code: codeBadRoom},
		"room with a space":      {data: `{"type":"join","room":"a b","nick":"ann"}`, code: codeBadRoom},
		"room not in ASCII":      {data: `{"type":"join","room":"é","nick":"ann"}`, code: codeBadRoom},
		"nick missing":           {data: `{"type":"join","room":"a"}`, code: codeBadNick},
		"say":                    {data: `{"type":"say","id":"1","text":"hello"}`, want: say{"1", "hello"}},
		"say keeps its spaces":   {data: `{"type":"say","id":"1","text":" a\n "}`, want: say{"1", " a\n "}},
		"text of 2000 bytes":     {data: `{"type":"say","id":"1","text":"` + strings.Repeat("é", 1000) + `"}`, want: say{"1", strings.Repeat("é", 1000)}},
		"text of 2001 bytes":     {data: `{"type":"say","id":"1","text":"` + strings.Repeat("é", 1000) + `x"}`, code: codeTooLong, id: "1"},
		"text missing":           {data: `{"type":"say","id":"1"}`, code: codeBadJSON, id: "1"},
		"text of spaces only":    {data: `{"type":"say","id":"1","text":" \n\t"}`, code: codeBadJSON, id: "1"},
		"id missing":             {data: `{"type":"say","text":"hello"}`, code: codeBadID},
		"id of 64 characters":    {data: `{"type":"say","id":"` + strings.Repeat("é", 64) + `","text":"hello"}`, want: say{strings.Repeat("é", 64), "hello"}},
		"id of 65 characters":    {data: `{"type":"say","id":"` + strings.Repeat("é", 65) + `","text":"hello"}`, code: codeBadID},
		"type unknown":           {data: `{"type":"shout"}`, code: codeUnknownType},
		"type missing":           {data: `{}`, code: codeUnknownType},
		"type of the wrong kind": {data: `{"type":1}`, code: codeBadJSON},
		"room of the wrong kind": {data: `{"type":"join","room":["lobby"],"nick":"ann"}`, code: codeBadJSON},
		"not JSON":               {data: `hello`, code: codeBadJSON},
		"empty":                  {data: ``, code: codeBadJSON},
		"null":                   {data: `null`, code: codeBadJSON},
		"an array":               {data: `[]`, code: codeBadJSON},
		"two values":             {data: `{"type":"say"} {}`, code: codeBadJSON},
		"cut off":                {data: `{"type":"say","id":"1","text":"hel`, code: codeBadJSON},
	} {
		t.Run(name, func(t *testing.T) {
			got, problem := readMessage([]byte(test.data))
			if test.code == "" {
				if problem != nil || !reflect.DeepEqual(got, test.want) {
					t.Fatalf("got %#v, %+v, want %#v", got, problem, test.want)
				}
				return
			}
			if problem == nil || problem.Code != test.code || problem.ID != test.id || got != nil {
				t.Fatalf("got %#v, %+v, want the error %s about %q", got, problem, test.code, test.id)
			}
		})
	}
}

func TestNicknames(t *testing.T) {
	for nick, want := range map[string]bool{
		"ann": true, "Ann 2": true, "a": true, "-_-": true, "Zoë": true, "李小龍": true, "हिन्दी": true, "Ω٣": true,
		strings.Repeat("n", 24): true, strings.Repeat("é", 12): true,
		"": false, " ann": false, "ann ": false, "a  b": false, "a\tb": false, "a\u00a0b": false, "a.b": false, "<b>": false,
		"\u0301a": false, "a \u0301b": false, "a\u200bb": false, "a\u202eb": false, "🙂": false, "\ufffd": false,
		strings.Repeat("n", 25): false, strings.Repeat("é", 13): false,
	} {
		if got := validNick(nick); got != want {
			t.Errorf("%q is valid: %v, want %v", nick, got, want)
		}
	}
}

func TestNicknamesThatDifferInCaseAreTheSame(t *testing.T) {
	for _, pair := range [][2]string{{"ann", "ANN"}, {"Zoë", "zOË"}, {"straße", "STRAẞE"}, {"Σίσυφος", "σίσυφοσ"}, {"kelvin", "\u212aelvin"}} {
		if foldNick(pair[0]) != foldNick(pair[1]) {
			t.Errorf("%q and %q are taken for two", pair[0], pair[1])
		}
	}
	if foldNick("ann") == foldNick("anne") || foldNick("a b") == foldNick("ab") {
		t.Error("two nicknames are taken for one")
	}
}

func TestEveryErrorCodeHasASentence(t *testing.T) {
	for _, code := range []errorCode{codeNickTaken, codeBadNick, codeBadRoom, codeTooLong, codeTooFast, codeBadJSON,
		codeUnknownType, codeNotJoined, codeRoomsFull, codeRoomFull, codeBadID, codeUnavailable, codeReplaced, codeNotYours} {
		if text := newError(code, "").Text; !strings.HasSuffix(text, ".") {
			t.Errorf("%s says %q", code, text)
		}
	}
}

func TestMessagesOnTheWire(t *testing.T) {
	at := time.Date(2026, 3, 1, 12, 0, 0, 5e6, time.FixedZone("", 3600))
	for _, test := range []struct {
		message any
		want    string
	}{
		{newWelcome("c-1", "n", true), `{"type":"welcome","version":1,"connection":"c-1","node":"n","storing":true,"limits":{"text":2000,"nick":24,"room":32,"retry":90}}`},
		{joinedMessage{Type: "joined", Room: "r", Nick: "ann", Members: []string{"ann"}, Epoch: "e", Seq: 7, History: (&history{}).recent()},
			`{"type":"joined","room":"r","nick":"ann","members":["ann"],"epoch":"e","seq":7,"gap":false,"history":[]}`},
		{chatMessage{Type: "message", Room: "r", Seq: 13, Prev: 9, Nick: "ann", Text: "<b> & \"q\"\n", At: formatTime(at), ID: "x"},
			`{"type":"message","room":"r","seq":13,"prev":9,"nick":"ann","text":"<b> & \"q\"\n","at":"2026-03-01T11:00:00.005Z","id":"x"}`},
		{noticeMessage{Type: "notice", Kind: noticeLeave, Room: "r", Nick: "ann", At: formatTime(at), Members: (&roster{}).names()},
			`{"type":"notice","kind":"leave","room":"r","nick":"ann","at":"2026-03-01T11:00:00.005Z","members":[]}`},
		{&errorMessage{Type: "error", Code: codeTooFast, Text: "No.", ID: "x"}, `{"type":"error","code":"too_fast","text":"No.","id":"x"}`},
		{&errorMessage{Type: "error", Code: codeBadRoom, Text: "No."}, `{"type":"error","code":"bad_room","text":"No."}`},
	} {
		if got := encode(test.message); got != test.want {
			t.Errorf("got  %s\nwant %s", got, test.want)
		}
	}
}

func FuzzReadMessage(f *testing.F) {
	f.Add([]byte(`{"type":"join","room":"lobby","nick":"ann"}`))
	f.Add([]byte(`{"type":"say","id":"1","text":"hello"}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		request, problem := readMessage(data)
		if (request == nil) == (problem == nil) {
			t.Fatalf("%q gives %#v and %+v", data, request, problem)
		}
		if said, ok := request.(say); ok && !json.Valid([]byte(encode(chatMessage{Text: said.text, ID: said.id}))) {
			t.Fatalf("%q cannot be said again", data)
		}
	})
}
