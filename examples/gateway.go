// SPDX-FileCopyrightText: 2026 Metadata Center contributors
// SPDX-License-Identifier: Apache-2.0

// A client for gateways in Go's standard library: go run examples/gateway.go [http://127.0.0.1:8080]
//
// Copy Client into a gateway. Where a node does not answer in time, the gateway chooses an engine by itself: load that
// is not known must never stop a request.
package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"os"
	"strconv"
	"time"
)

// Client reports requests to one node and asks it for the load.
type Client struct {
	Address string // of the node, as http://10.0.0.1:8080
	HTTP    *http.Client
}

// Row is what an engine has to do.
type Row struct {
	IP           string `json:"ip"`
	Port         *int   `json:"port"`
	Requests     int    `json:"queued_req_num"`
	PromptLength int64  `json:"prompt_length"`
	Tokens       int64  `json:"token_num"`
}

// Engine returns the engine's name: its address, with a port where it has one.
func (row Row) Engine() string {
	if row.Port == nil {
		return row.IP
	}
	return net.JoinHostPort(row.IP, strconv.Itoa(*row.Port))
}

// Pick returns the engine with the least to do, with the request counted on it.
func (c *Client) Pick(ctx context.Context, cluster, requestID string, promptLength int, candidates []string) (Row, error) {
	var row Row
	err := c.call(ctx, http.MethodPost, "/v1/load/pick", map[string]any{
		"cluster": cluster, "request_id": requestID, "prompt_length": promptLength, "candidates": candidates,
	}, &row)
	return row, err
}

// FirstToken reports that the engine has read the prompt.
func (c *Client) FirstToken(ctx context.Context, requestID string) error {
	return c.call(ctx, http.MethodDelete, "/v1/load/prompt", map[string]any{"request_id": requestID}, nil)
}

// Tokens reports how many tokens the request holds by now.
func (c *Client) Tokens(ctx context.Context, requestID string, input, output int) error {
	return c.call(ctx, http.MethodPut, "/v1/load/tokens", map[string]any{
		"request_id": requestID, "input_tokens": input, "output_tokens": output,
	}, nil)
}

// Done reports that the request ended, whether it went well or not. It may be repeated.
func (c *Client) Done(ctx context.Context, requestID string) error {
	return c.call(ctx, http.MethodDelete, "/v1/load/stats", map[string]any{"request_id": requestID}, nil)
}

// Load returns a row for each engine of a cluster.
func (c *Client) Load(ctx context.Context, cluster string) ([]Row, error) {
	var rows []Row
	err := c.call(ctx, http.MethodGet, "/v1/load/stats?cluster="+url.QueryEscape(cluster), nil, &rows)
	return rows, err
}

func (c *Client) call(ctx context.Context, method, path string, body, data any) error {
	var content bytes.Buffer
	if body != nil {
		if err := json.NewEncoder(&content).Encode(body); err != nil {
			return err
		}
	}
	request, err := http.NewRequestWithContext(ctx, method, c.Address+path, &content)
	if err != nil {
		return err
	}
	answer, err := c.HTTP.Do(request)
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	envelope := struct {
		Error *struct{ Reason string }
		Data  any
	}{Data: data}
	if err := json.NewDecoder(answer.Body).Decode(&envelope); err != nil {
		return err
	}
	if envelope.Error != nil {
		return fmt.Errorf("%s %s: %s", method, path, envelope.Error.Reason)
	}
	return nil
}

func main() {
	address := "http://127.0.0.1:8080"
	if len(os.Args) > 1 {
		address = os.Args[1]
	}
	if err := run(&Client{Address: address, HTTP: &http.Client{Timeout: 2 * time.Second}}); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(client *Client) error {
	ctx := context.Background()
	requestID := fmt.Sprintf("go-%d", time.Now().UnixNano())
	row, err := client.Pick(ctx, "demo", requestID, 1200, []string{"10.0.0.7:8000", "10.0.0.8:8000"})
	if err != nil {
		return err
	}
	fmt.Printf("request %s goes to %s\n", requestID, row.Engine())
	if err := client.FirstToken(ctx, requestID); err != nil {
		return err
	}
	if err := client.Tokens(ctx, requestID, 1200, 64); err != nil {
		return err
	}
	rows, err := client.Load(ctx, "demo")
	if err != nil {
		return err
	}
	for _, row := range rows {
		fmt.Printf("%s: %d in flight, %d tokens\n", row.Engine(), row.Requests, row.Tokens)
	}
	if err := client.Done(ctx, requestID); err != nil {
		return err
	}
	fmt.Println("ended")
	return nil
}
