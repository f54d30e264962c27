#!/usr/bin/env bash
# "Every second Monday" and "every second Tuesday" of one crontab fall into different weeks.
#
# Fugit, which reads the cron lines of GitLab's freeze periods, has `%2` for every second week. It counts its weeks from
# Tuesdays: of January 2027, `mon%2` means the 4th and the 18th, `tue%2` the 12th and the 26th.
# Source: fugit 1.5.2 (Debian ruby-fugit 1.5.2-1), run here in November 2026.
# Why it matters to a freeze: a freeze from `0 14 * * mon%2` to `0 8 * * tue%2` ends eight days after it began. With
# `weekly: {from: mon 14:00, to: tue 08:00, every: 2, starting: 2027-01-04}` the end is the first one after the start.
# Needs apt-get (Debian 12) and Ruby 3.1.
set -euo pipefail
folder=$(mktemp -d) && trap 'rm -rf "$folder"' EXIT && cd "$folder"
apt-get -o APT::Sandbox::User=root download -qq ruby-fugit=1.5.2-1 ruby-raabro=1.4.0-1 ruby-et-orbi=1.2.2-1 ruby-tzinfo=2.0.5-1 \
    ruby-concurrent=1.1.6+dfsg-5
for each in *.deb; do dpkg-deb -x "$each" .; done
cat > look.rb <<'RUBY'
require "fugit"
start = EtOrbi.make_time("2027-01-01 00:00 UTC")
days = %w[mon tue].to_h do |day|
  cron = Fugit.parse("0 0 * * #{day}%2 UTC")
  first = cron.next_time(start)
  [day, [first, cron.next_time(first)].map { |time| time.strftime("%d").to_i }]
end
puts "most expect: both days of the same weeks: [4, 18] and [5, 19], or [11, 25] and [12, 26]"
puts "seen:        #{days["mon"]} and #{days["tue"]}"
exit(days == { "mon" => [4, 18], "tue" => [12, 26] })
RUBY
library=$folder/usr/lib/ruby/vendor_ruby
ruby -I "$library" look.rb
