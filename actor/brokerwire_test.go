package actor

import (
	"fmt"
	"reflect"
	"testing"
)

func TestFollowingNumbersTellsLossFromRepetition(t *testing.T) {
	type step struct {
		node     uint64
		epoch    uint32
		sequence uint64
		missed   uint64
		fresh    bool
	}
	for _, test := range []struct {
		name  string
		steps []step
	}{
		{"the first may have any number", []step{{1, 1, 7, 0, true}, {1, 1, 8, 0, true}}},
		{"a loss", []step{{1, 1, 1, 0, true}, {1, 1, 5, 3, true}}},
		{"a repetition, and what was overtaken", []step{{1, 1, 5, 0, true}, {1, 1, 5, 0, false}, {1, 1, 4, 0, false}, {1, 1, 6, 0, true}}},
		{"nodes have their own numbers", []step{{1, 1, 5, 0, true}, {2, 1, 9, 0, true}, {1, 1, 6, 0, true}, {2, 1, 11, 1, true}}},
		{"a new epoch begins at 1", []step{{1, 1, 500, 0, true}, {1, 2, 1, 0, true}, {1, 1, 501, 0, false}, {1, 2, 2, 0, true}}},
		{"a loss at the begin of an epoch", []step{{1, 1, 500, 0, true}, {1, 2, 3, 2, true}}},
	} {
		var s sources
		for i, step := range test.steps {
			missed, fresh := s.follow(brokerHead{node: step.node, epoch: step.epoch, sequence: step.sequence})
			if missed != step.missed || fresh != step.fresh {
				t.Errorf("%s: step %d: %d missed, fresh %v", test.name, i, missed, fresh)
			}
		}
	}
	var s sources
	for node := range uint64(10 * maxSources) {
		s.follow(brokerHead{node: node, epoch: 1, sequence: 1})
		if len(s.last) > maxSources {
			t.Fatalf("%d nodes are followed", len(s.last))
		}
	}
}

func TestPresenceNewsAreReadAsTheyWereWritten(t *testing.T) {
	members := []Member{{ID: "a", Metadata: ""}, {ID: "b", Metadata: "meta"}}
	for _, test := range []struct {
		kind  byte
		news  presenceNews
		wrote []byte
	}{
		{kindPresenceChange, presenceNews{before: 1, version: 2, count: 3, joined: members, left: []string{"c", "d"}}, nil},
		{kindPresenceState, presenceNews{version: 2, count: 3, part: 4, last: true, joined: members}, nil},
		{kindPresenceState, presenceNews{version: 2}, nil},
		{kindPresenceDigest, presenceNews{version: 2, count: 3}, nil},
		{kindPresenceRequest, presenceNews{}, nil},
	} {
		wire := appendNews(test.kind, test.news)
		got, ok := parsePresenceNews(test.kind, wire, 4)
		if !ok || !reflect.DeepEqual(got, test.news) {
			t.Errorf("kind %d: read %+v, %v", test.kind, got, ok)
		}
		for cut := range len(wire) {
			if _, ok := parsePresenceNews(test.kind, wire[:cut], 4); ok {
				t.Errorf("kind %d cut at %d is read", test.kind, cut)
			}
		}
		if _, ok := parsePresenceNews(test.kind, append(wire, 0), 4); ok {
			t.Errorf("kind %d with something behind it is read", test.kind)
		}
		if len(test.news.joined) > 0 {
			if _, ok := parsePresenceNews(test.kind, wire, 3); ok {
				t.Errorf("kind %d with metadata over the limit is read", test.kind)
			}
		}
	}
}

func appendNews(kind byte, n presenceNews) []byte {
	switch kind {
	case kindPresenceChange:
		return n.appendChange(nil)
	case kindPresenceState:
		return n.appendState(nil)
	case kindPresenceDigest:
		return n.appendDigest(nil)
	}
	return nil
}

// Whatever arrives, nothing panics, limits hold, and what is read is written
// the same.
func FuzzBrokerMessage(f *testing.F) {
	for kind := range kinds {
		head := brokerHead{kind: kind, node: 1, epoch: 1, sequence: 1}.append(nil)
		f.Add(append(head, appendNews(kind, presenceNews{before: 1, version: 2, count: 1, last: true, joined: []Member{{ID: "a", Metadata: "m"}}, left: []string{"b"}})...))
		f.Add(append(head, "\x03abctext"...))
		f.Add(append(head, "\xFFabctext"...))
	}
	f.Fuzz(func(t *testing.T, payload []byte) {
		engine, err := NewEngine()
		if err != nil {
			t.Fatal(err)
		}
		hub, err := NewHub(engine, nil, HubConfig{MaxMembers: 3, MaxMetadata: 8})
		if err != nil {
			t.Fatal(err)
		}
		defer hub.Close()
		topic, err := hub.topics.pin("room")
		if err != nil {
			t.Fatal(err)
		}
		there, err := hub.presences.pin("room")
		if err != nil {
			t.Fatal(err)
		}
		for range 2 {
			topic.owner.Deliver(payload)
			there.owner.Deliver(payload)
			(&inbox{hub: hub}).Deliver(payload)
		}
		p := there.owner.(*presence)
		p.mu.Lock()
		if list := p.list(); len(list) > 3 || len(list) != p.known {
			t.Errorf("%d members known, counted as %d", len(list), p.known)
		}
		p.mu.Unlock()
		if n := hub.BuffersInUse(); n != 0 {
			t.Errorf("%d buffers in use", n)
		}
		head, message, ok := parseBrokerHead(payload)
		if !ok {
			return
		}
		if got := head.append(nil); string(got) != string(payload[:brokerHeadSize]) {
			t.Errorf("head %x is written as %x", payload[:brokerHeadSize], got)
		}
		if news, ok := parsePresenceNews(head.kind, message, 8); ok && head.kind != kindPresenceState {
			if got := appendNews(head.kind, news); string(got) != string(message) {
				t.Errorf("news %x are written as %x", message, got)
			}
		}
	})
}

// More subjects than are numbered at once begin the numbers anew, which is
// neither a gap nor a repetition for who follows them.
func TestNumbersOfManySubjectsAreBounded(t *testing.T) {
	var shard outboxShard
	var followed sources
	for i := range 3 * outboxNumbers {
		shard.next([]byte(fmt.Sprint("user.", i)))
		if len(shard.numbers) > outboxNumbers {
			t.Fatalf("%d subjects are numbered", len(shard.numbers))
		}
		if i%100 == 0 {
			n := shard.next([]byte("room"))
			missed, fresh := followed.follow(brokerHead{node: 1, epoch: shard.epoch, sequence: n.sequence})
			if missed != 0 || !fresh {
				t.Fatalf("after %d subjects: %d missed, fresh %v", i, missed, fresh)
			}
		}
	}
	if shard.epoch < 3 {
		t.Errorf("epoch is %d", shard.epoch)
	}
}
