package wscore

import (
	"errors"
	"math"
	"strconv"
	"testing"
)

func TestZeroLimitsMeanTheDefaults(t *testing.T) {
	for _, test := range []struct {
		name     string
		in, want Limits
	}{
		{"all", Limits{}, Limits{1 << 20, 1 << 20, 131_072, 64}},
		{"a frame may be as long as a message", Limits{MaxMessage: 5}, Limits{5, 5, 131_072, 64}},
		{"a message need not be longer than a frame", Limits{MaxFrame: 9}, Limits{9, 1 << 20, 131_072, 64}},
		{"nothing set is changed", Limits{1, 2, 3, 4}, Limits{1, 2, 3, 4}},
		{"the largest values", Limits{math.MaxInt64, math.MaxInt64, math.MaxInt32, math.MaxInt32}, Limits{math.MaxInt64, math.MaxInt64, math.MaxInt32, math.MaxInt32}},
	} {
		t.Run(test.name, func(t *testing.T) {
			if got, err := test.in.WithDefaults(); got != test.want || err != nil {
				t.Errorf("WithDefaults gave %+v, %v", got, err)
			}
		})
	}
}

func TestLimitsOutOfRangeAreNamed(t *testing.T) {
	for _, test := range []struct {
		field string
		in    Limits
	}{
		{"MaxMessage", Limits{MaxMessage: -1}},
		{"MaxFrame", Limits{MaxFrame: -1}},
		{"MaxFragments", Limits{MaxFragments: -1}},
		{"MaxEmptyFragments", Limits{MaxEmptyFragments: -1}},
		{"MaxMessage", Limits{MaxMessage: math.MinInt64}},
	} {
		t.Run(test.field, func(t *testing.T) {
			_, err := test.in.WithDefaults()
			var config *ConfigError
			if !errors.As(err, &config) || config.Field != test.field {
				t.Errorf("WithDefaults gave %v", err)
			}
			if _, err := NewDecoder(Server, &Lifecycle{}, &test.in); !errors.As(err, &config) {
				t.Errorf("NewDecoder gave %v", err)
			}
		})
	}
	if strconv.IntSize == 64 {
		tooMany := math.MaxInt32
		tooMany++
		if _, err := (Limits{MaxFragments: tooMany}).WithDefaults(); err == nil {
			t.Error("a count above 31 bits passed")
		}
	}
}
