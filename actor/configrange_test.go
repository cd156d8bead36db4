package actor_test

import (
	"errors"
	"fmt"
	"net/netip"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/tandem-ws/tandem/actor"
	"github.com/tandem-ws/tandem/wscore"
)

// numberRanges are the least and the most of each number that a ServerConfig
// holds, beside 0.
var numberRanges = map[string]struct{ least, most int64 }{
	"HandshakeTimeout":          {int64(time.Millisecond), int64(time.Hour)},
	"MaxMessageBytes":           {1, 1 << 30},
	"InboundBytes":              {1, 1 << 30},
	"InboundMessages":           {1, 1 << 20},
	"InboundRate.Messages":      {1, 1_000_000},
	"InboundRate.MessageBurst":  {100, 1_000_000},
	"InboundRate.Bytes":         {1, 1 << 30},
	"InboundRate.ByteBurst":     {100, 1 << 30},
	"SessionMailbox":            {1, 1 << 20},
	"Mailbox.MaxFrames":         {1, 1 << 20},
	"Mailbox.MaxBytes":          {1, unbounded},
	"Mailbox.Policy":            {1, 4},
	"Mailbox.BlockTimeout":      {int64(time.Millisecond), int64(time.Minute)},
	"WriteTimeout":              {int64(time.Millisecond), int64(time.Hour)},
	"CloseTimeout":              {int64(time.Millisecond), int64(time.Hour)},
	"PingInterval":              {int64(100 * time.Millisecond), int64(time.Hour)},
	"PingMisses":                {1, 100},
	"IdleTimeout":               {int64(time.Second), int64(24 * time.Hour)},
	"MaxLifetime":               {int64(time.Second), int64(8760 * time.Hour)},
	"SessionStallTimeout":       {int64(time.Second), int64(24 * time.Hour)},
	"MaxConnections":            {1, 1 << 30},
	"MaxConnectionsPerAddress":  {1, 1 << 30},
	"MaxHandshakes":             {1, 1 << 20},
	"ProxyProtocol":             {0, 2},
	"Drain.Delay":               {1, int64(time.Hour)},
	"Drain.Spread":              {1, int64(time.Hour)},
	"Drain.Code":                {1000, 4999},
	"Deflate.SendWindowBits":    {8, 15},
	"Deflate.ReceiveWindowBits": {8, 15},
	"Deflate.Threshold":         {1, 1 << 30},
	"Deflate.Level":             {1, 9},
	"Deflate.MaxRatio":          {2, 1 << 20},
}

const unbounded = -1

// numbersOf calls visit with each number of a config, by its path.
func numbersOf(path string, v reflect.Value, visit func(path string, number reflect.Value)) {
	switch v.Kind() {
	case reflect.Struct:
		for i := range v.NumField() {
			field := v.Type().Field(i)
			inner := path
			if !field.Anonymous {
				inner = strings.TrimPrefix(path+"."+field.Name, ".")
			}
			numbersOf(inner, v.Field(i), visit)
		}
	case reflect.Pointer:
		if v.Type() == reflect.TypeFor[*wscore.DeflateConfig]() {
			v.Set(reflect.New(v.Type().Elem()))
			numbersOf(path, v.Elem(), visit)
		}
	case reflect.Int, reflect.Int64, reflect.Int32, reflect.Uint8, reflect.Uint16:
		visit(path, v)
	}
}

// Every number of a config has its range, and one beyond either end is refused
// with its field, its value and the range.
func TestEveryNumberOfAConfigHasItsRange(t *testing.T) {
	engine, err := actor.NewEngine()
	must(t, err)
	var paths []string
	unsigned := make(map[string]bool)
	numbersOf("", reflect.ValueOf(&actor.ServerConfig{}).Elem(), func(path string, number reflect.Value) {
		paths = append(paths, path)
		unsigned[path] = number.CanUint()
	})
	if len(paths) != len(numberRanges) {
		t.Errorf("%d ranges for %d numbers: %v", len(numberRanges), len(paths), paths)
	}
	set := func(path string, value int64) error {
		config := actor.ServerConfig{TrustedProxies: []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")}}
		numbersOf("", reflect.ValueOf(&config).Elem(), func(p string, number reflect.Value) {
			switch {
			case p == "InboundRate.Messages" && path == "InboundRate.MessageBurst", p == "InboundRate.Bytes" && path == "InboundRate.ByteBurst":
				number.SetInt(1000) // only a limit has a burst
			case p == path && number.CanInt():
				number.SetInt(value)
			case p == path:
				number.SetUint(uint64(value))
			}
		})
		_, err := actor.NewServer(engine, sessions(echo), config)
		return err
	}
	for _, path := range paths {
		bounds, ok := numberRanges[path]
		if !ok {
			t.Errorf("%s has no range", path)
			continue
		}
		refused := []int64{bounds.least - 1, -1, bounds.most + 1}
		if bounds.most == unbounded {
			refused = refused[:2]
		}
		for _, value := range refused {
			if value == 0 || value < 0 && unsigned[path] {
				continue // the default, or no value of this type
			}
			var wrong *actor.ConfigError
			if err := set(path, value); !errors.As(err, &wrong) || wrong.Field != path || fmt.Sprintf("%d", wrong.Value) != fmt.Sprint(value) || wrong.Range == "" {
				t.Errorf("%s of %d: %v", path, value, err)
			}
		}
		for _, value := range []int64{bounds.least, bounds.most} {
			if value == unbounded {
				continue
			}
			if err := set(path, value); err != nil {
				t.Errorf("%s of %d: %v", path, value, err)
			}
		}
	}
}
