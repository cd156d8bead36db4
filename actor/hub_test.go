package actor_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/tandem-ws/tandem/actor"
	"github.com/tandem-ws/tandem/split"
	"github.com/tandem-ws/tandem/wscore"
)

func TestWhatIsPublishedReachesEveryNodeOnceAndInOrder(t *testing.T) {
	for _, fault := range []struct {
		name string
		set  func(*faultyBroker)
	}{
		{"sound broker", func(*faultyBroker) {}},
		{"deliveries are late", func(b *faultyBroker) { b.delay = 3 * time.Millisecond }},
		{"each is delivered twice", func(b *faultyBroker) { b.twice = true }},
	} {
		t.Run(fault.name, func(t *testing.T) {
			inCluster(t, 3, actor.HubConfig{}, func(t *testing.T, nodes []*node) {
				var streams []*stream
				for _, n := range nodes {
					n.broker.set(func() { fault.set(n.broker) })
					for range 2 {
						c, s, _ := n.open()
						must(t, n.Subscribe(c, "room.1"), n.Subscribe(c, "room.1"))
						streams = append(streams, s)
					}
				}
				_, other, _ := nodes[1].open()
				var want []string
				for i := range 200 {
					text := fmt.Sprint("message ", i)
					want = append(want, text)
					taken, err := nodes[0].Publish("room.1", nodes[0].Text(text))
					if taken != 2 || err != nil {
						t.Fatalf("%d took it here: %v", taken, err)
					}
				}
				taken, err := nodes[1].PublishFrom(streams[2].conn, "room.1", nodes[1].Binary([]byte("from a session")))
				if taken != 2 || err != nil {
					t.Fatalf("%d took it here: %v", taken, err)
				}
				time.Sleep(time.Second)
				synctest.Wait()
				for i, s := range streams {
					got := slices.DeleteFunc(s.texts(t), func(s string) bool { return s == "from a session" })
					if !slices.Equal(got, want) || len(s.texts(t)) != len(want)+1 {
						t.Errorf("subscriber %d got %d messages: %q", i, len(got), got[:min(len(got), 5)])
					}
				}
				if got := other.texts(t); len(got) != 0 {
					t.Errorf("somebody who did not subscribe got %q", got)
				}
				if n := nodes[2].observer.of(func(r *hubRecorder) int { return r.gaps }); n != 0 {
					t.Errorf("%d gaps", n)
				}
			})
		})
	}
}

func TestBrokersSubscriptionIsMadeByTheFirstAndEndedAfterTheLast(t *testing.T) {
	const subject = "tandem.t.room"
	inCluster(t, 1, actor.HubConfig{Grace: 20 * time.Second}, func(t *testing.T, nodes []*node) {
		n := nodes[0]
		a, aStream, _ := n.open()
		b, _, _ := n.open()
		for range 50 { // coming and going does not reach the broker
			must(t, n.Subscribe(a, "room"), n.Subscribe(b, "room"))
			n.Unsubscribe(a, "room")
			n.Unsubscribe(b, "room")
			time.Sleep(100 * time.Millisecond)
		}
		must(t, n.Subscribe(a, "room"))
		time.Sleep(time.Minute)
		if made, ended := n.broker.churn(subject); made != 1 || ended != 0 || n.Topics() != 1 {
			t.Errorf("%d made, %d ended", made, ended)
		}
		_ = aStream.Close() // the end of a connection is as good
		time.Sleep(19 * time.Second)
		if _, ended := n.broker.churn(subject); ended != 0 {
			t.Error("ended before the grace was over")
		}
		time.Sleep(22 * time.Second)
		if _, ended := n.broker.churn(subject); ended != 1 || n.Topics() != 0 {
			t.Errorf("%d ended, %d topics", ended, n.Topics())
		}
		must(t, n.Subscribe(b, "room"))
		if taken, err := n.Publish("room", n.Text("again")); taken != 1 || err != nil {
			t.Errorf("%d took it: %v", taken, err)
		}
		if made, _ := n.broker.churn(subject); made != 2 {
			t.Errorf("%d made", made)
		}
	})
}

func TestNamesThatCouldReachOthersAreRefused(t *testing.T) {
	inCluster(t, 1, actor.HubConfig{}, func(t *testing.T, nodes []*node) {
		n := nodes[0]
		c, _, _ := n.open()
		for _, test := range []struct {
			name string
			ok   bool
		}{
			{"a", true}, {"room.1", true}, {"user:7/x_y-z@host=+~A.B", true}, {strings.Repeat("n", actor.MaxTopicName), true},
			{"", false}, {strings.Repeat("n", actor.MaxTopicName+1), false}, {".a", false}, {"a.", false}, {"a..b", false}, {".", false},
			{"*", false}, {"a.*", false}, {">", false}, {"a.>", false}, {"a b", false}, {"a\x00b", false}, {"a\r\nPUB x", false}, {"ü", false}, {"$SYS.x", false}, {`"`, false},
		} {
			var refused *actor.NameError
			_, published := n.Publish(test.name, n.Text("x"))
			_, present := n.Presence(t.Context(), test.name)
			for what, err := range map[string]error{
				"Subscribe": n.Subscribe(c, test.name), "Publish": published, "Presence": present,
				"Join": n.Join(c, test.name, ""), "JoinAs": n.JoinAs(test.name, actor.Member{ID: "x"}), "Watch": n.Watch(test.name, c.SessionPID()),
			} {
				if ok := err == nil; ok != test.ok || !ok && (!errors.As(err, &refused) || refused.Error() == "") {
					t.Errorf("%s(%q): %v", what, test.name, err)
				}
			}
			n.Unsubscribe(c, test.name)
			n.Leave(c, test.name)
			n.LeaveAs(test.name, "x")
			n.Unwatch(test.name, c.SessionPID())
		}
	})
}

func TestHubsLimits(t *testing.T) {
	config := actor.HubConfig{MaxTopics: 3, MaxMessageBytes: 10, MaxMembers: 2, MaxMetadata: 4}
	inCluster(t, 1, config, func(t *testing.T, nodes []*node) {
		n := nodes[0]
		c, _, _ := n.open()
		must(t, n.Subscribe(c, "one"), n.Subscribe(c, "two"), n.Join(c, "three", "meta"))
		is := func(what string, got, want error) {
			t.Helper()
			if !errors.Is(got, want) {
				t.Errorf("%s: %v, want %v", what, got, want)
			}
		}
		is("a fourth topic", n.Subscribe(c, "four"), actor.ErrTooManyTopics)
		is("a fourth presence", n.Join(c, "four", ""), actor.ErrTooManyTopics)
		for i := range 100 { // publishing takes no place
			_, err := n.Publish(fmt.Sprint("nobody.", i), n.Text("x"))
			is("publishing", err, nil)
		}
		_, err := n.Publish("one", n.Text("01234567890"))
		is("a long message", err, actor.ErrMessageTooLong)
		is("a long message to one", n.Send(c.ID(), n.Text("01234567890")), actor.ErrMessageTooLong)
		odd := n.Text("x")
		odd.SetOpcode(wscore.OpPing)
		_, err = n.Publish("one", odd)
		is("a control frame", err, wscore.ErrNotDataOpcode)
		is("long metadata", n.Join(c, "three", "metad"), actor.ErrMetadataTooLong)
		is("no id", n.JoinAs("three", actor.Member{}), actor.ErrMemberID)
		is("a long id", n.JoinAs("three", actor.Member{ID: strings.Repeat("i", actor.MaxMemberID+1)}), actor.ErrMemberID)
		is("the second member", n.JoinAs("three", actor.Member{ID: "second"}), nil)
		is("the third member", n.JoinAs("three", actor.Member{ID: "third"}), actor.ErrTooManyMembers)
		is("other metadata of the second", n.JoinAs("three", actor.Member{ID: "second", Metadata: "new"}), nil)
		is("an id that nobody has", n.Send("nobody", n.Text("x")), actor.ErrNoConnection)
		is("an id with a wildcard", n.Send("aaaaaaaaaaa*-1", n.Text("x")), actor.ErrNoConnection)
		is("a long id", n.Send("aaaaaaaaaaaa-"+strings.Repeat("1", 100), n.Text("x")), actor.ErrNoConnection)
		gone, s, _ := n.open()
		_ = s.Close()
		synctest.Wait()
		is("an ended connection subscribes", n.Subscribe(gone, "one"), split.ErrClosed)
		is("an ended connection joins", n.Join(gone, "three", ""), actor.ErrTooManyMembers)
		n.LeaveAs("three", "second")
		is("an ended connection joins", n.Join(gone, "three", ""), split.ErrClosed)
		present, err := n.Presence(t.Context(), "three")
		is("presence", err, nil)
		if present.Count != 1 || len(present.Members) != 1 || present.Members[0] != (actor.Member{ID: c.ID(), Metadata: "meta"}) {
			t.Errorf("present: %+v", present)
		}
		n.broker.set(func() { n.broker.refuse = errDown })
		n.Unsubscribe(c, "one")
		time.Sleep(time.Minute)
		is("a broker that refuses", n.Subscribe(c, "one"), errDown)
		var refused *actor.BrokerError
		if err := n.Subscribe(c, "one"); !errors.As(err, &refused) || refused.Operation != "subscribe" {
			t.Errorf("a broker that refuses: %v", err)
		}
		n.broker.set(func() { n.broker.refuse = nil })
		is("a broker that does no more", n.Subscribe(c, "one"), nil)
	})
}

func TestHubsConfigIsChecked(t *testing.T) {
	engine, err := actor.NewEngine()
	must(t, err)
	for field, config := range map[string]actor.HubConfig{
		"Prefix": {Prefix: "a.*"}, "MaxTopics": {MaxTopics: -1}, "MaxMessageBytes": {MaxMessageBytes: 1 << 30}, "Grace": {Grace: time.Millisecond},
		"MaxMembers": {MaxMembers: -1}, "MaxMetadata": {MaxMetadata: 5000}, "PresenceInterval": {PresenceInterval: time.Millisecond},
	} {
		var wrong *actor.ConfigError
		if _, err := actor.NewHub(engine, nil, config); !errors.As(err, &wrong) || wrong.Field != field {
			t.Errorf("%s: %v", field, err)
		}
	}
	if _, err := actor.NewHub(nil, nil, actor.HubConfig{}); err == nil {
		t.Error("a hub without an engine")
	}
}

func TestConnectionIsReachedFromEverywhereByItsID(t *testing.T) {
	inCluster(t, 3, actor.HubConfig{}, func(t *testing.T, nodes []*node) {
		c, s, _ := nodes[1].open()
		_, other, _ := nodes[1].open()
		engine, err := actor.NewEngine()
		must(t, err)
		service, err := actor.NewHub(engine, newFaulty(nodes[0].broker.Broker), actor.HubConfig{}) // without a server
		must(t, err)
		defer service.Close()
		must(t,
			nodes[1].Send(c.ID(), nodes[1].Text("from its own node")),
			nodes[0].Send(c.ID(), nodes[0].Text("from another")),
			service.Send(c.ID(), service.Binary([]byte("from a service"))))
		settleHubs()
		got := s.texts(t)
		slices.Sort(got)
		if !slices.Equal(got, []string{"from a service", "from another", "from its own node"}) {
			t.Errorf("got %q", got)
		}
		if got := other.texts(t); len(got) != 0 {
			t.Errorf("another connection got %q", got)
		}
		_ = s.Close()
		synctest.Wait()
		must(t, nodes[0].Send(c.ID(), nodes[0].Text("too late"))) // nobody here can know
		settleHubs()
		if n := nodes[1].observer.of(func(r *hubRecorder) int { return r.unsent }); n != 1 {
			t.Errorf("%d messages counted as refused", n)
		}
	})
}

// A service without connections needs no server, and no broker if it is alone.
func TestServiceWithoutConnectionsUsesTheSameHub(t *testing.T) {
	inCluster(t, 2, actor.HubConfig{}, func(t *testing.T, nodes []*node) {
		c, s, _ := nodes[0].open()
		must(t, nodes[0].Subscribe(c, "room"), nodes[0].Join(c, "room", "ann"))
		engine, err := actor.NewEngine()
		must(t, err)
		service, err := actor.NewHub(engine, nodes[0].broker.Broker, actor.HubConfig{})
		must(t, err)
		if taken, err := service.Publish("room", service.Text("hello")); taken != 0 || err != nil {
			t.Errorf("%d took it: %v", taken, err)
		}
		present, err := service.Presence(t.Context(), "room")
		must(t, err)
		if !slices.Equal(present.Members, []actor.Member{{ID: c.ID(), Metadata: "ann"}}) || present.Count != 1 {
			t.Errorf("present: %+v", present)
		}
		settleHubs()
		if got := s.texts(t); !slices.Equal(got, []string{"hello"}) {
			t.Errorf("got %q", got)
		}
		service.Close()

		alone, err := actor.NewHub(engine, nil, actor.HubConfig{})
		must(t, err, alone.Attach(nodes[0].server), alone.Subscribe(c, "room"), alone.JoinAs("room", actor.Member{ID: "x"}))
		if taken, err := alone.Publish("room", alone.Text("to oneself")); taken != 1 || err != nil {
			t.Errorf("%d took it: %v", taken, err)
		}
		must(t, alone.Send(c.ID(), alone.Text("directly")))
		if err := alone.Send("aaaaaaaaaaaa-1", alone.Text("x")); err != actor.ErrNoConnection {
			t.Errorf("nobody was sent to: %v", err)
		}
		if present, err := alone.Presence(t.Context(), "room"); present.Count != 1 || err != nil {
			t.Errorf("present: %+v, %v", present, err)
		}
		alone.Close()
		settleHubs()
	})
}

func TestClosedHubRefusesEverythingAndLetsConnectionsBe(t *testing.T) {
	inCluster(t, 2, actor.HubConfig{}, func(t *testing.T, nodes []*node) {
		n := nodes[0]
		c, s, _ := n.open()
		must(t, n.Subscribe(c, "room"), n.Join(c, "room", "ann"))
		n.Close()
		_, published := n.Publish("room", n.Text("x"))
		_, present := n.Presence(t.Context(), "room")
		for what, err := range map[string]error{
			"Publish": published, "Presence": present, "Subscribe": n.Subscribe(c, "room"), "Join": n.Join(c, "room", ""),
			"JoinAs": n.JoinAs("room", actor.Member{ID: "x"}), "Watch": n.Watch("room", c.SessionPID()),
			"Send": n.Send(c.ID(), n.Text("x")), "Attach": n.Attach(n.server),
		} {
			if err != actor.ErrHubClosed {
				t.Errorf("%s: %v", what, err)
			}
		}
		n.Unsubscribe(c, "room")
		n.Leave(c, "room")
		n.LeaveAs("room", "x")
		n.Unwatch("room", c.SessionPID())
		if info := c.Info(); info.State != "open" || info.Topics != 0 {
			t.Errorf("the connection is %+v", info)
		}
		must(t, c.SendText("still open"))
		synctest.Wait()
		if got := s.texts(t); !slices.Equal(got, []string{"still open"}) {
			t.Errorf("got %q", got)
		}
	})
}
