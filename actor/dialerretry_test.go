package actor

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"github.com/tandem-ws/tandem/split"
	"github.com/tandem-ws/tandem/wscore"
)

// waits is from when to when the next attempt may follow; ends says that none
// does.
type waits struct{ least, most time.Duration }

var ends = waits{-1, -1}

// The table at Attempt, row by row, at the third attempt in a row and the
// default settings.
func TestDialerDecidesByTheTable(t *testing.T) {
	backoff := waits{0, 400 * time.Millisecond}
	status := func(status int, retryAfter ...string) error {
		return &split.RefusalError{Status: status, Header: http.Header{"Retry-After": retryAfter}, Err: wscore.ErrNotUpgraded}
	}
	proxyStatus := func(status int, retryAfter ...string) error {
		return &split.ProxyError{Status: status, Header: http.Header{"Retry-After": retryAfter}}
	}
	stream := func(operation string, err error) error {
		return &split.TransportError{Operation: operation, Err: err}
	}
	type row struct {
		attempt Attempt
		want    waits
	}
	var rows []row
	for code, want := range map[CloseCode]waits{
		1000: ends, 1001: {0, time.Second}, 1002: ends, 1003: ends, 1005: backoff, 1006: backoff, 1007: ends, 1008: ends, 1009: ends, 1010: ends,
		1011: backoff, 1012: {5 * time.Second, 30 * time.Second}, 1013: {5 * time.Second, 30 * time.Second}, 1014: backoff,
		3000: ends, 3003: ends, 3008: backoff, 3999: backoff, 4000: backoff, 4999: backoff,
	} {
		for _, initiator := range []Initiator{Local, Remote} {
			rows = append(rows, row{Attempt{Closed: &Closed{Code: code, Initiator: initiator}}, want})
		}
	}
	in := func(d time.Duration) waits { return waits{d, d + backoff.most} }
	for _, failure := range []struct {
		err  error
		want waits
	}{
		{status(200), ends}, {status(301), ends}, {status(302), ends}, {status(400), ends}, {status(401), ends}, {status(403), ends},
		{status(404), ends}, {status(426), ends}, {status(0), ends},
		{status(408), backoff}, {status(425), backoff}, {status(500), backoff}, {status(502), backoff}, {status(504), backoff},
		{status(500, "60"), backoff}, // means nothing there
		{status(429), backoff}, {status(429, "60"), in(time.Minute)}, {status(503, "60"), in(time.Minute)},
		{status(503, "0"), backoff}, {status(503, "-1"), backoff}, {status(503, "soon"), backoff}, {status(503, "1e3"), backoff},
		{status(503, "86400"), in(5 * time.Minute)}, {status(503, "99999999999999999999"), backoff},
		{status(503, "Sat, 01 Jan 2000 00:00:30 GMT"), in(30 * time.Second)}, // the bubble begins at midnight
		{status(503, "Sat, 01 Jan 1999 00:00:30 GMT"), backoff},
		{status(503, "Sat, 01 Jan 2050 00:00:30 GMT"), in(5 * time.Minute)},
		{proxyStatus(407), ends}, {proxyStatus(403), ends}, {proxyStatus(502), backoff}, {proxyStatus(503, "60"), in(time.Minute)},
		{&split.ProxyError{Err: context.DeadlineExceeded}, backoff},
		{&split.ProxyError{Err: wscore.ErrHandshakeEnded}, backoff},
		{&split.ProxyError{Err: split.ErrProxyBytes}, ends},
		{&split.ProxyError{Err: wscore.ErrHeadSyntax}, ends},
		{stream("connect", errors.New("refused")), backoff}, {stream("tls", errors.New("expired")), backoff},
		{stream("handshake", context.DeadlineExceeded), backoff}, {stream("attach", errors.New("no")), backoff},
		{wscore.ErrHandshakeEnded, backoff},
		{wscore.ErrResponseAccept, ends}, {wscore.ErrUnrequestedProtocol, ends}, {wscore.ErrHeadTooLarge, ends},
		{wscore.ErrHeaderField, ends}, {&ConfigError{Field: "URL"}, ends},
		{&RejectedError{Err: errors.New("no")}, ends}, {&RejectedError{Err: stream("connect", errors.New("refused"))}, ends},
	} {
		rows = append(rows, row{Attempt{Err: failure.err}, failure.want})
	}
	synctest.Test(t, func(t *testing.T) {
		config, err := DialerConfig{Dial: split.DialConfig{URL: "ws://a.example"}}.withDefaults()
		if err != nil {
			t.Fatal(err)
		}
		for _, row := range rows {
			row.attempt.Number = 3
			name := fmt.Sprint(row.attempt.Err)
			if row.attempt.Closed != nil {
				name = fmt.Sprint(*row.attempt.Closed)
			}
			checkWaits(t, name, row.want, func() Decision { return config.byTable(&row.attempt) })
		}
	})
}

// checkWaits demands that decisions stay in their range and use all of it.
func checkWaits(t *testing.T, name string, want waits, decide func() Decision) {
	t.Helper()
	if want == ends {
		if d := decide(); d.Again {
			t.Errorf("%s: goes on after %v", name, d.After)
		}
		return
	}
	least, most := time.Duration(1<<62), time.Duration(-1)
	for range 300 {
		d := decide()
		if !d.Again {
			t.Errorf("%s: ends", name)
			return
		}
		least, most = min(least, d.After), max(most, d.After)
	}
	tenth := (want.most - want.least) / 10
	if least < want.least || most > want.most || least > want.least+tenth || most < want.most-tenth {
		t.Errorf("%s: waits from %v to %v, want %v to %v", name, least, most, want.least, want.most)
	}
}

func TestBackoffDoublesUpToItsLimit(t *testing.T) {
	config := DialerConfig{MinBackoff: 100 * time.Millisecond, MaxBackoff: 30 * time.Second}
	for number, want := range map[int]time.Duration{
		0: 100 * time.Millisecond, 1: 100 * time.Millisecond, 2: 200 * time.Millisecond, 3: 400 * time.Millisecond, 9: 25600 * time.Millisecond,
		10: 30 * time.Second, 11: 30 * time.Second, 1 << 30: 30 * time.Second,
	} {
		if got := config.backoff(number); got != want {
			t.Errorf("attempt %d: %v, want %v", number, got, want)
		}
	}
	long := DialerConfig{MinBackoff: time.Hour, MaxBackoff: 24 * time.Hour}
	if got := long.backoff(1 << 30); got != 24*time.Hour {
		t.Errorf("long: %v", got)
	}
	checkWaits(t, "1001 with a short limit", waits{0, 50 * time.Millisecond}, func() Decision {
		return (&DialerConfig{MinBackoff: time.Millisecond, MaxBackoff: 50 * time.Millisecond}).afterClose(1001, 1)
	})
}

func TestDialerStopsAtItsLastAttempt(t *testing.T) {
	config := DialerConfig{MinBackoff: 1, MaxBackoff: 1, MaxAttempts: 2}
	for number, want := range map[int]bool{0: true, 1: true, 2: false, 3: false} {
		if got := config.byTable(&Attempt{Number: number, Closed: &Closed{Code: 1006}}).Again; got != want {
			t.Errorf("attempt %d: goes on %v", number, got)
		}
	}
}

func TestDialerConfigErrorsNameTheField(t *testing.T) {
	good := split.DialConfig{URL: "ws://a.example"}
	timed, packed := good, good
	timed.Timeout, packed.Deflate = time.Second, &wscore.DeflateConfig{}
	engine, err := NewEngine()
	if err != nil {
		t.Fatal(err)
	}
	producer := func(*Established) (Receiver, error) { return nobody{}, nil }
	for field, config := range map[string]DialerConfig{
		"URL":           {},
		"Dial.Timeout":  {Dial: timed},
		"Dial.Deflate":  {Dial: packed},
		"MinBackoff":    {Dial: good, MinBackoff: -1},
		"MaxBackoff":    {Dial: good, MinBackoff: time.Minute, MaxBackoff: time.Second},
		"MaxRetryAfter": {Dial: good, MaxRetryAfter: time.Millisecond},
		"StableAfter":   {Dial: good, StableAfter: -1},
		"MaxAttempts":   {Dial: good, MaxAttempts: -1},
		"PingMisses":    {Dial: good, ConnConfig: ConnConfig{PingMisses: -1}},
		"Deflate.Level": {Dial: good, ConnConfig: ConnConfig{Deflate: &wscore.DeflateConfig{Level: 10}}},
	} {
		d, err := NewDialer(engine, producer, config)
		var wrong *ConfigError
		if d != nil || !errors.As(err, &wrong) || wrong.Field != field {
			t.Errorf("%s: %v", field, err)
		}
	}
	if _, err := NewDialer(engine, nil, DialerConfig{Dial: good}); err == nil {
		t.Error("no producer is needed")
	}
	if _, err := NewDialer(nil, producer, DialerConfig{Dial: good}); err == nil {
		t.Error("no engine is needed")
	}
	if config, err := (DialerConfig{Dial: good, MinBackoff: time.Minute}).withDefaults(); err != nil || config.MaxBackoff != time.Minute {
		t.Errorf("a long MinBackoff alone: %v, %v", config.MaxBackoff, err)
	}
}

// Whatever a server says, the wait is bounded by MaxRetryAfter.
func FuzzRetryAfter(f *testing.F) {
	for _, seed := range []string{"", "60", "-1", "1e9", "4294967296", "Sat, 01 Jan 2050 00:00:30 GMT", "Sat, 01 Jan 9999 00:00:00 GMT"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, value string) {
		config := DialerConfig{MaxRetryAfter: time.Minute}
		d := config.afterStatus(503, http.Header{"Retry-After": {value}}, Decision{Again: true, After: time.Second})
		if !d.Again || d.After < time.Second || d.After > time.Minute+time.Second {
			t.Fatalf("%q: %+v", value, d)
		}
	})
}
