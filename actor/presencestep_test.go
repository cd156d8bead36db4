package actor

import (
	"reflect"
	"testing"
)

// What another node tells is applied if it follows what is known, and asked for
// otherwise: whatever order it comes in, and whatever is missing.
func TestPresenceFollowsVersions(t *testing.T) {
	change := func(before, version uint64, count uint32, joined []Member, left ...string) presenceNews {
		return presenceNews{before: before, version: version, count: count, joined: joined, left: left}
	}
	state := func(version uint64, count uint32, part uint16, last bool, joined ...Member) presenceNews {
		return presenceNews{version: version, count: count, part: part, last: last, joined: joined}
	}
	a, b, c := Member{ID: "a"}, Member{ID: "b"}, Member{ID: "c", Metadata: "m"}
	type step struct {
		kind byte
		news presenceNews
		asks bool // for the whole state
	}
	for _, test := range []struct {
		name  string
		steps []step
		known []Member
		count int
	}{
		{"the first change", []step{{kindPresenceChange, change(0, 5, 1, []Member{a}), false}}, []Member{a}, 1},
		{"changes that follow", []step{
			{kindPresenceChange, change(0, 5, 1, []Member{a}), false},
			{kindPresenceChange, change(5, 8, 2, []Member{b, c}, "a"), false},
		}, []Member{b, c}, 2},
		{"a change is missing", []step{
			{kindPresenceChange, change(0, 5, 1, []Member{a}), false},
			{kindPresenceChange, change(7, 8, 3, []Member{c}), true},
		}, []Member{a}, 1},
		{"a change of a node that is not known", []step{{kindPresenceChange, change(4, 5, 2, []Member{a}), true}}, nil, 0},
		{"a change that is old", []step{
			{kindPresenceState, state(8, 1, 0, true, b), false},
			{kindPresenceChange, change(0, 5, 1, []Member{a}), false},
		}, []Member{b}, 1},
		{"a state takes the place of what was known", []step{
			{kindPresenceChange, change(0, 5, 2, []Member{a, b}), false},
			{kindPresenceState, state(9, 2, 0, true, b, c), false},
		}, []Member{b, c}, 2},
		{"a state in parts", []step{
			{kindPresenceState, state(9, 3, 0, false, a), false},
			{kindPresenceState, state(9, 3, 1, false, b), false},
			{kindPresenceState, state(9, 3, 2, true, c), false},
		}, []Member{a, b, c}, 3},
		{"a part is missing", []step{
			{kindPresenceChange, change(0, 5, 1, []Member{c}), false},
			{kindPresenceState, state(9, 3, 0, false, a), false},
			{kindPresenceState, state(9, 3, 2, true, b), true},
		}, []Member{c}, 1},
		{"parts of two states", []step{
			{kindPresenceState, state(9, 2, 0, false, a), false},
			{kindPresenceState, state(11, 2, 1, true, b), true},
		}, nil, 0},
		{"a digest of what is known", []step{
			{kindPresenceChange, change(0, 5, 1, []Member{a}), false},
			{kindPresenceDigest, presenceNews{version: 5, count: 1}, false},
		}, []Member{a}, 1},
		{"a digest of something newer", []step{
			{kindPresenceChange, change(0, 5, 1, []Member{a}), false},
			{kindPresenceDigest, presenceNews{version: 6, count: 1}, true},
		}, []Member{a}, 1},
		{"all have left, whatever came before", []step{
			{kindPresenceChange, change(0, 5, 1, []Member{a}), false},
			{kindPresenceChange, change(7, 8, 0, nil, "b"), false},
		}, nil, 0},
		{"a node without members is not known", []step{{kindPresenceDigest, presenceNews{version: 6}, false}}, nil, 0},
	} {
		t.Run(test.name, func(t *testing.T) {
			p := presenceAlone(t)
			p.mu.Lock()
			defer p.mu.Unlock()
			for i, step := range test.steps {
				p.askAll = false
				p.take(brokerHead{kind: step.kind, node: 1}, step.news)
				if p.askAll != step.asks {
					t.Errorf("step %d: asks %v", i, p.askAll)
				}
			}
			if list := p.list(); len(list)+len(test.known) > 0 && !reflect.DeepEqual(list, test.known) || p.count() != test.count {
				t.Errorf("known are %v, count %d", list, p.count())
			}
		})
	}
}

// After everybody has left, others know nothing of this node: the next change
// follows nothing.
func TestChangeAfterAllHaveLeftFollowsNothing(t *testing.T) {
	p := presenceAlone(t)
	var versions []uint64
	for _, step := range []func(){
		func() { _ = p.join(Member{ID: "a"}) },
		func() { _ = p.join(Member{ID: "b"}) },
		func() { p.leave("a"); p.leave("b") },
		func() { _ = p.join(Member{ID: "a"}) },
	} {
		step()
		p.mu.Lock()
		n := p.change()
		clear(p.changed)
		p.mu.Unlock()
		versions = append(versions, n.before, n.version)
	}
	if want := []uint64{0, 1, 1, 2, 2, 3, 0, 4}; !reflect.DeepEqual(versions, want) {
		t.Errorf("versions are %v, want %v", versions, want)
	}
}

// presenceAlone is a presence whose hub does nothing any more.
func presenceAlone(t *testing.T) *presence {
	t.Helper()
	engine, err := NewEngine()
	if err != nil {
		t.Fatal(err)
	}
	hub, err := NewHub(engine, nil, HubConfig{})
	if err != nil {
		t.Fatal(err)
	}
	hub.Close()
	return newPresence(hub, &feed{name: "room"})
}
