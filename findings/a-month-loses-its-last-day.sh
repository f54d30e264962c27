#!/usr/bin/env bash
# In the month in which clocks are set forward, Alertmanager's last day of the month is the day before it.
#
# `days_of_month: ['-1']` in Europe/Amsterdam holds on 30 March 2027 and not on 31 March. The month's length is worked out
# as elapsed hours divided by 24, so a month of 743 hours has 30 days; `1:31` leaves the 31st out, too.
# Source: Alertmanager 0.25.0, package timeinterval (Debian golang-github-prometheus-alertmanager-dev 0.25.0-1), run here
# in November 2026 with Go 1.19.
# Why it matters to a freeze: a mute interval for the month's end, which stands for a freeze or goes along with one, is a
# day early in the month with the quarter's end. `freezegate import prometheus` follows the documentation: the 31st.
# Needs apt-get (Debian 12) and Go.
set -euo pipefail
folder=$(mktemp -d) && trap 'rm -rf "$folder"' EXIT && cd "$folder"
apt-get -o APT::Sandbox::User=root download -qq golang-github-prometheus-alertmanager-dev=0.25.0-1 golang-gopkg-yaml.v2-dev=2.4.0-4
for each in *.deb; do dpkg-deb -x "$each" .; done
mkdir look && cat > look/main.go <<'GO'
package main

import (
	"fmt"
	"os"
	"time"

	"github.com/prometheus/alertmanager/timeinterval"
	"gopkg.in/yaml.v2"
)

func main() {
	var interval timeinterval.TimeInterval
	written := "days_of_month: ['-1']\nlocation: Europe/Amsterdam\n"
	if err := yaml.Unmarshal([]byte(written), &interval); err != nil {
		panic(err)
	}
	amsterdam, _ := time.LoadLocation("Europe/Amsterdam")
	holds := func(day int) bool {
		return interval.ContainsTime(time.Date(2027, 3, day, 12, 0, 0, 0, amsterdam).UTC())
	}
	fmt.Println("most expect: the last day of March 2027 is the 31st: 30th false, 31st true")
	fmt.Printf("seen:        30th %v, 31st %v\n", holds(30), holds(31))
	if !holds(30) || holds(31) {
		os.Exit(1)
	}
}
GO
GO111MODULE=off GOFLAGS= GOPATH="$folder/usr/share/gocode" GOCACHE="$folder/cache" go run look/main.go
