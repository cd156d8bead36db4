// Package docs holds the tests that keep the documentation true. It has no
// code.
package docs
