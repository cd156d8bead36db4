package main

import (
	"context"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/tandem-ws/tandem/actor"
	"github.com/tandem-ws/tandem/examples/chat/store"
)

// nick is what the bot goes by. It is in no room's list: it only answers.
const nick = "bot"

// bot is the actor: it gets every message of every room once.
type bot struct {
	hub   *actor.Hub
	store store.Store
}

// Receive answers what is meant for the bot.
func (b *bot) Receive(c *actor.Context) {
	m, ok := c.Message().(store.Message)
	if !ok || m.Nick == nick || !strings.HasPrefix(m.Text, "!") {
		return
	}
	command, rest, _ := strings.Cut(strings.TrimPrefix(m.Text, "!"), " ")
	switch command {
	case "help":
		b.whisper(m.Conn, m.Room, "I know !time, !who, and !whisper, which only you can read.")
	case "time":
		b.say(m, "It is "+time.Now().UTC().Format("15:04:05")+" UTC.")
	case "who":
		go b.who(m) // which may wait for other nodes
	case "whisper":
		b.whisper(m.Conn, m.Room, "You said: "+strings.TrimSpace(rest))
	}
}

// say says something in the room of a message, to be kept. The key makes it one
// answer, should the bot see the message again.
func (b *bot) say(to store.Message, text string) {
	id := "bot-" + strconv.FormatUint(to.Seq, 10)
	b.store.Append(store.Draft{Room: to.Room, Nick: nick, Text: text, ID: id, Key: id}, func(store.Stored, error) {})
}

// whisper writes to one connection, on whatever node it is. It is not kept.
func (b *bot) whisper(conn, room, text string) {
	data, _ := json.Marshal(map[string]string{ // cannot fail
		"type": "whisper", "room": room, "nick": nick, "text": text, "at": time.Now().UTC().Format("2006-01-02T15:04:05.000Z"),
	})
	_ = b.hub.Send(conn, b.hub.Text(string(data))) // who is gone does not need it
}

// who counts who is in the room.
func (b *bot) who(m store.Message) {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	if present, err := b.hub.Presence(ctx, "here."+m.Room); err == nil {
		b.say(m, fmt.Sprintf("There are %d in this room.", present.Count))
	}
}
