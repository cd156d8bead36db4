package main

import (
	"bytes"
	"math/rand/v2"
	"strconv"
	"strings"
	"time"

	"github.com/tandem-ws/tandem/actor"
	"github.com/tandem-ws/tandem/wscore"
)

// person is one client: it joins a room, says something now and then, hears
// the others, and leaves after a while.
type person struct {
	crowd  *crowd
	number int
	conn   *actor.Conn
	leaves time.Time
	timer  *time.Timer // until it speaks next

	said  int
	asked time.Time // when it said what has not come back, zero for nothing
}

// speak tells a person to say something.
type speak struct{}

// The messages of the chat's protocol that matter here.
type (
	joinMessage struct {
		Type string `json:"type"`
		Room string `json:"room"`
		Nick string `json:"nick"`
	}
	sayMessage struct {
		Type string `json:"type"`
		ID   string `json:"id"`
		Text string `json:"text"`
	}
)

// Receive is called with one message at a time.
func (p *person) Receive(c *actor.Context) {
	counts := p.crowd.counts
	switch m := c.Message().(type) {
	case actor.Opened:
		p.conn = m.Conn
		p.leaves = time.Now().Add(time.Duration(rand.ExpFloat64() * float64(p.crowd.options.stay)))
		_ = p.conn.SendJSON(joinMessage{"join", "room-" + strconv.Itoa(p.number%p.crowd.options.rooms), "client-" + strconv.Itoa(p.number)})
		p.later(c)
	case *actor.Message:
		counts.received.Add(1)
		p.hear(m.Bytes())
	case speak:
		if time.Now().After(p.leaves) {
			_ = p.conn.Close(wscore.CloseGoingAway, "") // as a page does that is left
			return
		}
		p.say()
		p.later(c)
	case actor.Closed:
		if p.timer != nil {
			p.timer.Stop()
		}
	}
}

// later makes it speak after a time that is random, around the mean.
func (p *person) later(c *actor.Context) {
	wait := time.Duration((0.5 + rand.Float64()) / p.crowd.options.rate * float64(time.Second))
	engine, pid := c.Engine(), c.PID()
	p.timer = time.AfterFunc(wait, func() { engine.Send(pid, speak{}) })
}

func (p *person) say() {
	p.said++
	// Most of what people say is short.
	text := strings.Repeat("so it goes ", 1+int(rand.ExpFloat64()*4))
	if p.conn.SendJSON(sayMessage{"say", p.id(), text[:min(len(text), 2000)]}) == nil {
		p.crowd.counts.sent.Add(1)
		p.asked = time.Now()
	}
}

func (p *person) id() string { return strconv.Itoa(p.number) + "." + strconv.Itoa(p.said) }

// hear looks for what matters to it, without decoding what others say.
func (p *person) hear(message []byte) {
	switch {
	case bytes.Contains(message, []byte(`"type":"joined"`)):
		p.crowd.counts.joined.Add(1)
	case bytes.HasPrefix(message, []byte(`{"type":"error"`)):
		p.crowd.counts.refused.Add(1)
	case !p.asked.IsZero() && bytes.Contains(message, []byte(`"id":"`+p.id()+`"`)):
		p.crowd.counts.answered.Add(1)
		p.crowd.counts.answerNS.Add(int64(time.Since(p.asked)))
		p.asked = time.Time{}
	}
}
