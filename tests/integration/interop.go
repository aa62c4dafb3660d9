// Go's own mutual TLS 1.3: an echo server, or a client that sends a line and reads it back, again and again.
//
//	interop server|client PORT DIRECTORY GROUP [COUNT]
package main

import (
	"bufio"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"os"
	"strconv"
)

const line = "the words that come back\n"

var groups = map[string][]tls.CurveID{
	"any":         nil,
	"P-521 first": {tls.CurveP521, tls.CurveP256},
	"P-384":       {tls.CurveP384},
}

// The chain is checked, and names of hosts are not: that is not what these certificates prove.
func verify(roots *x509.CertPool, usage x509.ExtKeyUsage) func(tls.ConnectionState) error {
	return func(state tls.ConnectionState) error {
		if len(state.PeerCertificates) == 0 {
			return errors.New("no certificate")
		}
		_, err := state.PeerCertificates[0].Verify(x509.VerifyOptions{Roots: roots, KeyUsages: []x509.ExtKeyUsage{usage}})
		return err
	}
}

func config(directory, group string, usage x509.ExtKeyUsage) *tls.Config {
	own, err := tls.LoadX509KeyPair(directory+"/cert.pem", directory+"/key.pem")
	if err != nil {
		log.Fatal(err)
	}
	pem, err := os.ReadFile(directory + "/ca.pem")
	if err != nil {
		log.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(pem)
	return &tls.Config{
		Certificates:       []tls.Certificate{own},
		MinVersion:         tls.VersionTLS13,
		CurvePreferences:   groups[group],
		ClientAuth:         tls.RequireAnyClientCert,
		InsecureSkipVerify: true,
		VerifyConnection:   verify(roots, usage),
		ClientSessionCache: tls.NewLRUClientSessionCache(8),
	}
}

func echo(connection net.Conn) {
	defer connection.Close()
	_, err := io.Copy(connection, connection)
	fmt.Println("ended:", err)
}

func serve(address string, config *tls.Config) {
	listener, err := tls.Listen("tcp", address, config)
	if err != nil {
		log.Fatal(err)
	}
	for {
		connection, err := listener.Accept()
		if err != nil {
			log.Fatal(err)
		}
		go echo(connection)
	}
}

func ask(address string, config *tls.Config, count int) {
	connection, err := tls.Dial("tcp", address, config)
	if err != nil {
		log.Fatal(err)
	}
	reader := bufio.NewReader(connection)
	for i := 0; i < count; i++ {
		if _, err := io.WriteString(connection, line); err != nil {
			log.Fatal(err)
		}
		got, err := reader.ReadString('\n')
		if err != nil || got != line {
			log.Fatal("other words: ", got, err)
		}
	}
	fmt.Println("done with", tls.CipherSuiteName(connection.ConnectionState().CipherSuite))
	connection.CloseWrite()
	if _, err := reader.ReadByte(); err != io.EOF {
		log.Fatal("no clean end: ", err)
	}
}

func main() {
	address := "127.0.0.1:" + os.Args[2]
	if os.Args[1] == "server" {
		serve(address, config(os.Args[3], os.Args[4], x509.ExtKeyUsageClientAuth))
		return
	}
	count, err := strconv.Atoi(os.Args[5])
	if err != nil {
		log.Fatal(err)
	}
	ask(address, config(os.Args[3], os.Args[4], x509.ExtKeyUsageServerAuth), count)
}
