package actor

import (
	"errors"
	"testing"
	"time"
)

func TestTokenArithmeticIsExact(t *testing.T) {
	const second = time.Second
	for _, test := range []struct {
		name             string
		perSecond, burst int
		at               []time.Duration
		amounts          []int
		over             []time.Duration // after each
	}{
		{name: "a burst fits", perSecond: 10, burst: 3, at: []time.Duration{0, 0, 0, 0}, amounts: []int{1, 1, 1, 1}, over: []time.Duration{0, 0, 0, second / 10}},
		{name: "what flows off comes back", perSecond: 10, burst: 3, at: []time.Duration{0, second / 10, second}, amounts: []int{3, 1, 3}, over: []time.Duration{0, 0, 0}},
		{name: "but not more than the burst", perSecond: 10, burst: 3, at: []time.Duration{0, 9 * second, 9 * second}, amounts: []int{3, 3, 1}, over: []time.Duration{0, 0, second / 10}},
		{name: "at the rate for ever", perSecond: 4, burst: 1, at: []time.Duration{0, second / 4, second / 2, 3 * second / 4, second - 1}, amounts: []int{1, 1, 1, 1, 1}, over: []time.Duration{0, 0, 0, 0, 1}},
		{name: "a long message is paid off", perSecond: 1000, burst: 500, at: []time.Duration{0, 4500 * time.Millisecond}, amounts: []int{5000, 500}, over: []time.Duration{4500 * time.Millisecond, 500 * time.Millisecond}},
		{name: "a third is rounded up", perSecond: 3, burst: 1, at: []time.Duration{0, 0}, amounts: []int{1, 1}, over: []time.Duration{0, 333333334}},
		{name: "the largest numbers", perSecond: 1, burst: maxByteRate, at: []time.Duration{0, 0}, amounts: []int{maxByteRate, maxByteRate}, over: []time.Duration{0, maxByteRate * second}},
		{name: "no limit", at: []time.Duration{0}, amounts: []int{maxByteRate}, over: []time.Duration{0}},
	} {
		t.Run(test.name, func(t *testing.T) {
			limit, b := newRateLimit(test.perSecond, test.burst), bucket{}
			for i, now := range test.at {
				now += time.Hour // the clock's zero means nothing
				b.add(now, limit, test.amounts[i])
				if over := b.over(now, limit); over != test.over[i] {
					t.Errorf("step %d: over for %v, want %v", i, over, test.over[i])
				}
			}
		})
	}
}

func TestRateConfigOutOfRangeIsRefusedByName(t *testing.T) {
	for field, config := range map[string]RateConfig{
		"InboundRate.Messages":     {Messages: -1},
		"InboundRate.MessageBurst": {Messages: 100, MessageBurst: 9},
		"InboundRate.Bytes":        {Bytes: maxByteRate + 1},
		"InboundRate.ByteBurst":    {ByteBurst: 100},
	} {
		_, err := ConnConfig{InboundRate: config}.withDefaults()
		var wrong *ConfigError
		if !errors.As(err, &wrong) || wrong.Field != field || wrong.Range == "" {
			t.Errorf("%s: %v", field, err)
		}
	}
}
