package metrics

import (
	"errors"
	"fmt"
	"regexp"
	"strings"
	"unicode/utf8"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/tandem-ws/tandem/actor"
)

// DefaultNamespace begins the metrics' names unless the config says otherwise.
const DefaultNamespace = "tandem"

// Config are the settings of a [Collector]. The zero value of a field means
// its default.
type Config struct {
	// Registerer is where the collector registers itself.
	// Default: prometheus.DefaultRegisterer.
	Registerer prometheus.Registerer
	// Namespace begins the name of every metric: letters, digits and
	// underscores, not beginning with a digit. Default: [DefaultNamespace].
	Namespace string
	// ConstLabels are on every metric, for example to tell two servers of one
	// process apart. Two collectors on one registerer need the same label names
	// with different values. Default: none.
	ConstLabels prometheus.Labels
}

// ErrAlreadyRegistered matches the [*RegistrationError] of a second collector
// with the namespace and labels of one that is registered.
var ErrAlreadyRegistered = errors.New("metrics: already registered")

// RegistrationError is a collector that its registerer did not take. No metric
// of it is registered then.
type RegistrationError struct {
	Namespace string // the prefix of the metrics' names
	Err       error  // the registerer's own words
}

// Error names the namespace and the registerer's reason, and says what helps
// against a second registration.
func (e *RegistrationError) Error() string {
	text := fmt.Sprintf("metrics: namespace %q cannot be registered: %v", e.Namespace, e.Err)
	if errors.Is(e, ErrAlreadyRegistered) {
		text += " (share one collector, or give each its own Namespace or ConstLabels)"
	}
	return text
}

// Unwrap returns the registerer's error.
func (e *RegistrationError) Unwrap() error { return e.Err }

// Is matches [ErrAlreadyRegistered] for a second registration.
func (e *RegistrationError) Is(target error) bool {
	var already prometheus.AlreadyRegisteredError
	return target == ErrAlreadyRegistered && errors.As(e.Err, &already)
}

// prometheusName is what every Prometheus server, old or new, takes as a name.
var prometheusName = regexp.MustCompile(`^[a-zA-Z_][a-zA-Z0-9_]*$`)

// withDefaults fills in the defaults and refuses what cannot be exposed:
// client_golang reports some of it only as a panic.
func (c Config) withDefaults() (Config, error) {
	if c.Registerer == nil {
		c.Registerer = prometheus.DefaultRegisterer
	}
	if c.Namespace == "" {
		c.Namespace = DefaultNamespace
	}
	if !prometheusName.MatchString(c.Namespace) {
		return c, &actor.ConfigError{Field: "Namespace", Value: c.Namespace, Range: "letters, digits and underscores, not beginning with a digit"}
	}
	for name, value := range c.ConstLabels {
		switch {
		case !prometheusName.MatchString(name), strings.HasPrefix(name, "__"):
			return c, &actor.ConfigError{Field: "ConstLabels", Value: name, Range: "names of letters, digits and underscores, not beginning with a digit or two underscores"}
		case reservedLabels[name]:
			return c, &actor.ConfigError{Field: "ConstLabels", Value: name, Range: "names that no metric here uses itself"}
		case !utf8.ValidString(value):
			return c, &actor.ConfigError{Field: "ConstLabels", Value: fmt.Sprintf("%s=%q", name, value), Range: "values in UTF-8"}
		}
	}
	return c, nil
}
