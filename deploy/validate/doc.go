// Package validate tests what is in the folders beside it: images, manifests and
// what they say of the program they run. It is a module of its own, because what
// it needs for that nobody needs who uses the kit.
package validate
