//go:build !linux

package main

import "errors"

func serveBytesEpoll(settings) error { return errors.New("bytes-epoll needs Linux") }
