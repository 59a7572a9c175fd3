# fish completion for netdump
# Made from the table of options by "netdump completions fish".

function __netdump_no_command
    test (count (commandline -opc)) -eq 1
end

function __netdump_command -a name
    set -l words (commandline -opc)
    test (count $words) -ge 2; and test $words[2] = $name
end

function __netdump_first_operand -a name
    set -l words (commandline -opc)
    test (count $words) -eq 2; and test $words[2] = $name
end

# What the token after "--name=" completes to; fish 3 takes the option for part of the directory.
function __netdump_directories
    __fish_complete_directories (commandline -ct | string replace -r -- '^-[^=]*=' '') ''
end

complete -c netdump -f
complete -c netdump -n __netdump_no_command -a serve -d 'receive kernel dumps over the network'
complete -c netdump -n __netdump_no_command -a send -d 'replay a dump to a netdump server'
complete -c netdump -n __netdump_no_command -a inspect -d 'read kernel dumps and what lies beside them'
complete -c netdump -n __netdump_no_command -a completions -d 'print the completions of a shell'
complete -c netdump -n __netdump_no_command -a help -d 'show the help of a command'
complete -c netdump -n __netdump_no_command -s h -l help -d 'show this help and exit'
complete -c netdump -n __netdump_no_command -s V -l version -d 'show the version and exit'

complete -c netdump -n '__netdump_command serve' -s d -l dir -r -f -a '(__netdump_directories)' -d 'dump directory; must exist'
complete -c netdump -n '__netdump_command serve' -s a -l bind -r -f -d 'local IPv4 address to listen on'
complete -c netdump -n '__netdump_command serve' -s p -l path -r -f -d 'default path below DIR'
complete -c netdump -n '__netdump_command serve' -s i -l exec -r -F -d 'run PROGRAM after each dump'
complete -c netdump -n '__netdump_command serve' -l webhook -r -f -d 'post each dump that ended to URL, as JSON'
complete -c netdump -n '__netdump_command serve' -s P -l pidfile -r -F -d 'write the process id to FILE and lock it; a second instance refuses'
complete -c netdump -n '__netdump_command serve' -s D -l debug -d 'verbose log'
complete -c netdump -n '__netdump_command serve' -l port -r -f -d 'port that HERALDs arrive on'
complete -c netdump -n '__netdump_command serve' -l ack-port -r -f -d 'the clients\' port, where acks go'
complete -c netdump -n '__netdump_command serve' -l allow -r -f -d 'who may dump'
complete -c netdump -n '__netdump_command serve' -l timeout -r -f -d 'silence that ends a dump as incomplete'
complete -c netdump -n '__netdump_command serve' -l linger -r -f -d 'how long a repeated FINISHED is acked again'
complete -c netdump -n '__netdump_command serve' -l max-dump-size -r -f -d 'most bytes of one dump'
complete -c netdump -n '__netdump_command serve' -l min-free -r -f -d 'disk space to keep free'
complete -c netdump -n '__netdump_command serve' -l max-sessions -r -f -d 'dumps at once'
complete -c netdump -n '__netdump_command serve' -l max-sessions-per-client -r -f -d 'dumps at once from one address'
complete -c netdump -n '__netdump_command serve' -l keep -r -f -d 'complete dumps kept per host; older ones are removed'
complete -c netdump -n '__netdump_command serve' -l workers -r -f -d 'receiver threads'
complete -c netdump -n '__netdump_command serve' -l no-native -d 'move datagrams by Deno\'s operations only, one at a time'
complete -c netdump -n '__netdump_command serve' -l http -r -f -d 'status page, JSON, /metrics, /healthz, /readyz'
complete -c netdump -n '__netdump_command serve' -l http-public -d 'let --http listen on an address that others reach'
complete -c netdump -n '__netdump_command serve' -l http-host -r -f -d 'name that the status page may be asked by'
complete -c netdump -n '__netdump_command serve' -l no-dns -d 'name dumps by address, not by host name'
complete -c netdump -n '__netdump_command serve' -l ship -r -f -d 'ship finished dumps to object storage'
complete -c netdump -n '__netdump_command serve' -l s3-endpoint -r -f -d 'URL of the object storage'
complete -c netdump -n '__netdump_command serve' -l s3-credentials -r -F -d 'file of mode 600 with the keys of the object storage'
complete -c netdump -n '__netdump_command serve' -l ship-rate -r -f -d 'bytes shipped a second while dumps arrive'
complete -c netdump -n '__netdump_command serve' -l ship-keep -r -f -d 'shipped dumps kept here per host; older ones are removed'
complete -c netdump -n '__netdump_command serve' -l log-format -r -f -a 'text json' -d 'form of the log'
complete -c netdump -n '__netdump_command serve' -l trace -r -F -d 'append a line of JSON for each run of messages that is stored'
complete -c netdump -n '__netdump_command serve' -s q -l quiet -d 'log warnings and errors only'
complete -c netdump -n '__netdump_command serve' -s h -l help -d 'show this help and exit'
complete -c netdump -n '__netdump_command serve' -s V -l version -d 'show the version and exit'

complete -c netdump -n '__netdump_command send' -s s -l server -r -f -d 'server to send to, on port 20023 if none is given'
complete -c netdump -n '__netdump_command send' -s c -l client -r -f -d 'local address to send from'
complete -c netdump -n '__netdump_command send' -l client-port -r -f -d 'local port to send from'
complete -c netdump -n '__netdump_command send' -s p -l path -r -f -d 'directory to ask the server for, as net.netdump.path'
complete -c netdump -n '__netdump_command send' -l mtu -r -f -d 'size of a packet'
complete -c netdump -n '__netdump_command send' -l window -r -f -d 'messages in flight'
complete -c netdump -n '__netdump_command send' -l retries -r -f -d 'resends of a message before giving up'
complete -c netdump -n '__netdump_command send' -l timeout -r -f -d 'longest wait before a resend'
complete -c netdump -n '__netdump_command send' -l kernel -r -f -a '12 13 14 main' -d 'imitate the send loop of that FreeBSD kernel, batches, polls and ack masks'
complete -c netdump -n '__netdump_command send' -l header -r -F -d 'kernel dump header to send'
complete -c netdump -n '__netdump_command send' -l key -r -F -d 'key of an encrypted dump to send'
complete -c netdump -n '__netdump_command send' -l force -d 'send VMCORE even if it is recognized as no dump'
complete -c netdump -n '__netdump_command send' -l hostname -r -f -d 'host name for a header built anew'
complete -c netdump -n '__netdump_command send' -l panic -r -f -d 'panic string for a header built anew'
complete -c netdump -n '__netdump_command send' -l arch -r -f -d 'architecture for a header built anew, such as amd64'
complete -c netdump -n '__netdump_command send' -l dump-version-string -r -f -d 'kernel version for a header built anew'
complete -c netdump -n '__netdump_command send' -l s3-endpoint -r -f -d 'URL of the object storage'
complete -c netdump -n '__netdump_command send' -l s3-credentials -r -F -d 'file of mode 600 with the keys of the object storage'
complete -c netdump -n '__netdump_command send' -l rate -r -f -d 'most bytes per second'
complete -c netdump -n '__netdump_command send' -l no-native -d 'move datagrams by Deno\'s operations only, one at a time'
complete -c netdump -n '__netdump_command send' -l check -d 'ask whether a server is there that would take a dump, and send none'
complete -c netdump -n '__netdump_command send' -s q -l quiet -d 'no progress, no summary'
complete -c netdump -n '__netdump_command send' -l json -d 'print the result as JSON on stdout'
complete -c netdump -n '__netdump_command send' -s h -l help -d 'show this help and exit'
complete -c netdump -n '__netdump_command send' -s V -l version -d 'show the version and exit'
complete -c netdump -n '__netdump_command send' -F

complete -c netdump -n '__netdump_command inspect' -l json -d 'one JSON object per FILE and line'
complete -c netdump -n '__netdump_command inspect' -l dmesg -d 'print the kernel\'s message buffer, in order'
complete -c netdump -n '__netdump_command inspect' -l priorities -d 'with --dmesg, keep syslog\'s <N> before each line'
complete -c netdump -n '__netdump_command inspect' -l verify -d 'read it all and check it; exit 1 unless it is whole'
complete -c netdump -n '__netdump_command inspect' -l physical -r -f -d 'print the memory at this physical address'
complete -c netdump -n '__netdump_command inspect' -l virtual -r -f -d 'print the memory at this kernel virtual address'
complete -c netdump -n '__netdump_command inspect' -l length -r -f -d 'bytes of memory to print'
complete -c netdump -n '__netdump_command inspect' -l raw -d 'print memory as raw bytes, not as a hex dump'
complete -c netdump -n '__netdump_command inspect' -l private-key -r -F -d 'RSA private key, to look through encryption'
complete -c netdump -n '__netdump_command inspect' -l passphrase-file -r -F -d 'take the private key\'s passphrase from FILE\'s first line'
complete -c netdump -n '__netdump_command inspect' -l since -r -f -d 'of a directory or bucket, list only what crashed within this time'
complete -c netdump -n '__netdump_command inspect' -l host -r -f -d 'of a directory or bucket, list only the dumps of this host'
complete -c netdump -n '__netdump_command inspect' -l state -r -f -a 'whole partial truncated bad unknown orphaned unreadable' -d 'of a directory or bucket, list only the dumps in this state'
complete -c netdump -n '__netdump_command inspect' -l limit -r -f -d 'of a directory or bucket, list only the newest N'
complete -c netdump -n '__netdump_command inspect' -l group -d 'of a directory or bucket, list equal panics as one: how many dumps, which hosts, since when'
complete -c netdump -n '__netdump_command inspect' -l core-txt -d 'print a report of the dump as crashinfo writes it into core.txt.N'
complete -c netdump -n '__netdump_command inspect' -l member -r -f -d 'print a member of a textdump, such as ddb.txt'
complete -c netdump -n '__netdump_command inspect' -l output -r -F -d 'write the decrypted dump to FILE, which must not exist'
complete -c netdump -n '__netdump_command inspect' -l kernel -r -F -d 'the kernel that crashed, or a directory to search for it'
complete -c netdump -n '__netdump_command inspect' -l modules -r -F -d 'a directory with the kernel\'s modules and their debug files'
complete -c netdump -n '__netdump_command inspect' -l threads -d 'show the stacks of all threads, not only of the one that took the dump'
complete -c netdump -n '__netdump_command inspect' -l processes -d 'show the processes, as DDB\'s ps does'
complete -c netdump -n '__netdump_command inspect' -l variable -r -f -d 'print a global variable of the kernel'
complete -c netdump -n '__netdump_command inspect' -l spool -r -f -a '(__netdump_directories)' -d 'where a large compressed dump is unpacked to read its kernel'
complete -c netdump -n '__netdump_command inspect' -l s3-endpoint -r -f -d 'URL of the object storage'
complete -c netdump -n '__netdump_command inspect' -l s3-credentials -r -F -d 'file of mode 600 with the keys of the object storage'
complete -c netdump -n '__netdump_command inspect' -s h -l help -d 'show this help and exit'
complete -c netdump -n '__netdump_command inspect' -s V -l version -d 'show the version and exit'
complete -c netdump -n '__netdump_command inspect' -F

complete -c netdump -n '__netdump_command completions' -s h -l help -d 'show this help and exit'
complete -c netdump -n '__netdump_command completions' -s V -l version -d 'show the version and exit'
complete -c netdump -n '__netdump_first_operand completions' -f -a 'bash zsh fish'

complete -c netdump -n '__netdump_command help' -s h -l help -d 'show this help and exit'
complete -c netdump -n '__netdump_command help' -s V -l version -d 'show the version and exit'
complete -c netdump -n '__netdump_first_operand help' -f -a 'serve send inspect completions'
