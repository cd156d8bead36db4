//go:build race

package split

const scribbleByDefault = true
