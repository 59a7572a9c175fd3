# Untried: written by Homebrew's conventions, never built on macOS. url and sha256 are those of a release.
class Netdump < Formula
  desc "Server and reader for FreeBSD kernel crash dumps sent by netdump(4)"
  homepage "https://example.org/netdump"
  url "https://example.org/netdump/netdump-0.1.0.tar.gz"
  sha256 "0000000000000000000000000000000000000000000000000000000000000000"
  license "BSD-2-Clause"

  depends_on "deno" => :build

  def install
    system "deno", "task", "compile:to", "netdump", "main.ts"
    bin.install "netdump"
    man1.install Dir["docs/man/*.1"]
    man8.install Dir["docs/man/*.8"]
    bash_completion.install "completions/netdump.bash" => "netdump"
    zsh_completion.install "completions/_netdump"
    fish_completion.install "completions/netdump.fish"
  end

  def post_install
    (var/"crash/net").mkpath
    (var/"crash/net").chmod 0700
  end

  service do
    run [opt_bin/"netdump", "serve", "--dir", var/"crash/net"]
    keep_alive true
    log_path var/"log/netdump.log"
    error_log_path var/"log/netdump.log"
  end

  test do
    assert_match version.to_s, shell_output("#{bin}/netdump --version")
  end
end
