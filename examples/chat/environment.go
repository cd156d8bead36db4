package main

import (
	"flag"
	"fmt"
	"strings"
)

// environmentPrefix begins the names of the environment's variables.
const environmentPrefix = "CHAT_"

// fromEnvironment sets each flag that the command line left alone to the
// variable of its name, if there is one: CHAT_LOG_LEVEL for -log-level.
func fromEnvironment(flags *flag.FlagSet, lookup func(name string) (string, bool)) error {
	given := map[string]bool{}
	flags.Visit(func(f *flag.Flag) { given[f.Name] = true })
	var wrong error
	flags.VisitAll(func(f *flag.Flag) {
		name := variableOf(f.Name)
		value, ok := lookup(name)
		if !ok || given[f.Name] || wrong != nil {
			return
		}
		if err := flags.Set(f.Name, value); err != nil {
			wrong = fmt.Errorf("invalid value %q for %s: %w", value, name, err)
		}
	})
	return wrong
}

// variableOf returns the name of a flag's variable.
func variableOf(flag string) string {
	return environmentPrefix + strings.ToUpper(strings.ReplaceAll(flag, "-", "_"))
}
