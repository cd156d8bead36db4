package store

import (
	"context"
	"encoding/json"
	"strconv"
	"time"

	"github.com/nats-io/nats.go"
)

// getRequest and getResponse are the stream's own interface for reading without
// a consumer.
type getRequest struct {
	Seq     uint64 `json:"seq,omitempty"`
	LastFor string `json:"last_by_subj,omitempty"`
	NextFor string `json:"next_by_subj,omitempty"`
	Batch   int    `json:"batch,omitempty"`
}

type getResponse struct {
	Error *struct {
		Code int `json:"code"`
	} `json:"error"`
	Message *struct {
		Seq uint64 `json:"seq"`
	} `json:"message"`
}

// After asks the stream's leader for the room's last message, and then any of
// its servers for all up to there: one that lags behind is asked again.
func (s *JetStream) After(ctx context.Context, room string, after uint64) (Page, error) {
	ctx, cancel := context.WithTimeout(ctx, readTimeout)
	defer cancel()
	subject := roomSubject + room
	last, err := s.last(ctx, subject)
	switch {
	case err != nil:
		return Page{}, ErrUnavailable
	case last <= after:
		return Page{Complete: last == after}, nil
	}
	// What was seen last is read too, which tells whether it is still there.
	page, from, reached := Page{Complete: after == 0}, max(after, 1), uint64(0)
	for reached < last {
		batch, end, err := s.batch(ctx, subject, from)
		if err != nil {
			return Page{}, ErrUnavailable
		}
		if end > 0 {
			reached, from = end, end+1
		}
		for _, m := range batch {
			if m.Seq == after {
				page.Complete = true
				continue
			}
			if n := len(page.Messages); n > 0 {
				m.Prev = page.Messages[n-1].Seq
			} else if page.Complete {
				m.Prev = after
			} else {
				m.Prev = 0
			}
			page.Messages = append(page.Messages, m)
		}
		if end == 0 {
			pause := time.NewTimer(retryPause / 10)
			select {
			case <-pause.C:
			case <-ctx.Done():
				pause.Stop()
				return Page{}, ErrUnavailable
			}
		}
	}
	return page, nil
}

// last returns the number of a subject's last message, as its leader knows it.
func (s *JetStream) last(ctx context.Context, subject string) (uint64, error) {
	request, err := json.Marshal(getRequest{LastFor: subject})
	if err != nil {
		return 0, err
	}
	answer, err := s.nc.RequestWithContext(ctx, "$JS.API.STREAM.MSG.GET."+roomStream, request)
	if err != nil {
		return 0, err
	}
	var response getResponse
	switch err := json.Unmarshal(answer.Data, &response); {
	case err != nil:
		return 0, err
	case response.Error != nil && response.Error.Code == 404:
		return 0, nil
	case response.Error != nil || response.Message == nil:
		return 0, ErrUnavailable
	}
	return response.Message.Seq, nil
}

// batch reads messages of a subject from a number on, and returns the number of
// the last, 0 for none. What is no message of the chat's is passed over.
func (s *JetStream) batch(ctx context.Context, subject string, from uint64) (list []Message, end uint64, err error) {
	request, err := json.Marshal(getRequest{Seq: from, NextFor: subject, Batch: readBatch})
	if err != nil {
		return nil, 0, err
	}
	inbox := s.nc.NewInbox()
	answers, err := s.nc.SubscribeSync(inbox)
	if err != nil {
		return nil, 0, err
	}
	defer func() { _ = answers.Unsubscribe() }() // fails only when the connection is closed
	if err := s.nc.PublishMsg(&nats.Msg{Subject: "$JS.API.DIRECT.GET." + roomStream, Reply: inbox, Data: request}); err != nil {
		return nil, 0, err
	}
	for {
		m, err := answers.NextMsgWithContext(ctx)
		if err != nil {
			return nil, 0, err
		}
		switch m.Header.Get("Status") {
		case "":
		case "204", "404": // the end of the batch; nothing there
			return list, end, nil
		default:
			return nil, 0, ErrUnavailable
		}
		if seq, err := strconv.ParseUint(m.Header.Get("Nats-Sequence"), 10, 64); err == nil {
			end = seq
		}
		if message, ok := read(m); ok {
			list = append(list, message)
		}
	}
}
