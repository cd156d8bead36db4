//go:build !race

package actor_test

// raceDetector says that resident memory and times are the detector's.
const raceDetector = false
