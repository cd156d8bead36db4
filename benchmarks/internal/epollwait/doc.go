// Package epollwait waits for epoll events without telling Go's scheduler, as
// long as there are some. It is not an event loop.
package epollwait
