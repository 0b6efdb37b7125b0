// demo is a backend for tests in pods: it answers with the name of its pod, by HTTP/1.1 and by HTTP/2 in the clear.
//
//	/            the pod's name
//	/slow?ms=N   the same, after N milliseconds
//	/healthz     200, and 503 as soon as it was told to end
//
// SIGTERM: it goes on serving for -delay, so that whoever still holds its address may come, asks for each connection to
// be closed, then takes no new one and ends when the last answer is out.
//
// demo -get URL asks instead of answering: what a pod sees of the others.
package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"flag"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"os"
	"os/signal"
	"strconv"
	"sync/atomic"
	"syscall"
	"time"
)

const account = "/var/run/secrets/kubernetes.io/serviceaccount/"

func main() {
	listen := flag.String("listen", ":8080", "where to listen")
	delay := flag.Duration("delay", 2*time.Second, "how long to go on serving after SIGTERM")
	get := flag.String("get", "", "print what this URL answers, and end")
	flag.Parse()
	if *get != "" {
		if err := ask(*get); err != nil {
			log.Fatal(err)
		}
		return
	}

	pod := os.Getenv("POD_NAME")
	if pod == "" {
		pod, _ = os.Hostname()
	}
	var ending atomic.Bool
	routes := http.NewServeMux()
	answer := func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("X-Protocol", r.Proto)
		w.Header().Set("X-Peer", r.RemoteAddr)
		if ending.Load() {
			// Closing idle connections would race with requests on their way; an answer that says so does not.
			w.Header().Set("Connection", "close")
		}
		fmt.Fprintln(w, pod)
	}
	routes.HandleFunc("/", answer)
	routes.HandleFunc("/slow", func(w http.ResponseWriter, r *http.Request) {
		ms, err := strconv.Atoi(r.URL.Query().Get("ms"))
		if err != nil || ms < 0 {
			http.Error(w, "ms: how many milliseconds?", http.StatusBadRequest)
			return
		}
		select {
		case <-time.After(time.Duration(ms) * time.Millisecond):
			answer(w, r)
		case <-r.Context().Done():
		}
	})
	routes.HandleFunc("/healthz", func(w http.ResponseWriter, _ *http.Request) {
		if ending.Load() {
			http.Error(w, "ending", http.StatusServiceUnavailable)
			return
		}
		fmt.Fprintln(w, "ok")
	})

	protocols := new(http.Protocols)
	protocols.SetHTTP1(true)
	protocols.SetUnencryptedHTTP2(true)
	server := &http.Server{Addr: *listen, Handler: routes, Protocols: protocols}
	told, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
	defer stop()
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		<-told.Done()
		ending.Store(true)
		log.Printf("%s: told to end, serving for another %s", pod, *delay)
		time.Sleep(*delay)
		if err := server.Shutdown(context.Background()); err != nil {
			log.Printf("%s: %v", pod, err)
		}
	}()
	log.Printf("%s: serving on %s", pod, *listen)
	if err := server.ListenAndServe(); !errors.Is(err, http.ErrServerClosed) {
		log.Fatal(err)
	}
	<-ended
	log.Printf("%s: the last answer is out", pod)
}

// As a service account where the pod has one mounted: the API server is `https://kubernetes`, by the address that the
// environment names, since a test cluster has no DNS.
func ask(url string) error {
	request, err := http.NewRequest(http.MethodGet, url, nil)
	if err != nil {
		return err
	}
	transport := &http.Transport{}
	if request.URL.Host == "kubernetes" {
		authority, err := os.ReadFile(account + "ca.crt")
		if err != nil {
			return err
		}
		token, err := os.ReadFile(account + "token")
		if err != nil {
			return err
		}
		roots := x509.NewCertPool()
		roots.AppendCertsFromPEM(authority)
		transport.TLSClientConfig = &tls.Config{RootCAs: roots}
		request.URL.Host = net.JoinHostPort(os.Getenv("KUBERNETES_SERVICE_HOST"), os.Getenv("KUBERNETES_SERVICE_PORT"))
		request.Header.Set("Authorization", "Bearer "+string(token))
	}
	client := http.Client{Timeout: 10 * time.Second, Transport: transport}
	response, err := client.Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return errors.New(response.Status)
	}
	_, err = io.Copy(os.Stdout, response.Body)
	return err
}
