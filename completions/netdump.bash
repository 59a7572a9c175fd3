# bash completion for netdump
# Made from the table of options by "netdump completions bash".

# _netdump_value COMMAND OPTION: sets `kind` to what completes the option's value; fails if it takes none.
_netdump_value() {
  case $1:$2 in
    serve:--dir | serve:-d) kind='directory' ;;
    serve:--bind | serve:-a | serve:--path | serve:-p | serve:--webhook | serve:--port | serve:--ack-port | serve:--allow | serve:--timeout | serve:--linger | serve:--max-dump-size | serve:--min-free | serve:--max-sessions | serve:--max-sessions-per-client | serve:--keep | serve:--workers | serve:--http | serve:--http-host | serve:--ship | serve:--s3-endpoint | serve:--ship-rate | serve:--ship-keep) kind='none' ;;
    serve:--exec | serve:-i | serve:--pidfile | serve:-P | serve:--s3-credentials | serve:--trace) kind='file' ;;
    serve:--log-format) kind='text json' ;;
    send:--server | send:-s | send:--client | send:-c | send:--client-port | send:--path | send:-p | send:--mtu | send:--window | send:--retries | send:--timeout | send:--hostname | send:--panic | send:--arch | send:--dump-version-string | send:--s3-endpoint | send:--rate) kind='none' ;;
    send:--kernel) kind='12 13 14 main' ;;
    send:--header | send:--key | send:--s3-credentials) kind='file' ;;
    inspect:--physical | inspect:--virtual | inspect:--length | inspect:--since | inspect:--host | inspect:--limit | inspect:--member | inspect:--variable | inspect:--s3-endpoint) kind='none' ;;
    inspect:--private-key | inspect:--passphrase-file | inspect:--output | inspect:--kernel | inspect:--modules | inspect:--s3-credentials) kind='file' ;;
    inspect:--state) kind='whole partial truncated bad unknown orphaned unreadable' ;;
    inspect:--spool) kind='directory' ;;
    *) return 1 ;;
  esac
}

# _netdump_words WORD...: offers the words that fit.
_netdump_words() {
  local IFS=$' \t\n'
  COMPREPLY=($(compgen -W "$*" -- "$cur"))
}

# _netdump_offer KIND: offers files, directories or the words of a choice.
_netdump_offer() {
  case $1 in
    file) compopt -o default ;;
    directory) compopt -o dirnames ;;
    none) ;;
    *) _netdump_words "$1" ;;
  esac
}

_netdump() {
  local cur=${COMP_WORDS[COMP_CWORD]} command=${COMP_WORDS[1]}
  local i=2 word kind expects='' plain='' operands=0 most=0 operand=none options=''
  COMPREPLY=()
  if ((COMP_CWORD == 1)); then
    if [[ $cur == -* ]]; then
      _netdump_words --help --version
    else
      _netdump_words serve send inspect completions help
    fi
    return
  fi
  case $command in
    serve)
      options='--dir --bind --path --exec --webhook --pidfile --debug --port --ack-port --allow --timeout --linger --max-dump-size --min-free --max-sessions --max-sessions-per-client --keep --workers --no-native --http --http-public --http-host --no-dns --ship --s3-endpoint --s3-credentials --ship-rate --ship-keep --log-format --trace --quiet --help --version'
      ;;
    send)
      options='--server --client --client-port --path --mtu --window --retries --timeout --kernel --header --key --force --hostname --panic --arch --dump-version-string --s3-endpoint --s3-credentials --rate --no-native --check --quiet --json --help --version'
      operand='file' most=1
      ;;
    inspect)
      options='--json --dmesg --priorities --verify --physical --virtual --length --raw --private-key --passphrase-file --since --host --state --limit --group --core-txt --member --output --kernel --modules --threads --processes --variable --spool --s3-endpoint --s3-credentials --help --version'
      operand='file' most=1000000
      ;;
    completions)
      options='--help --version'
      operand='bash zsh fish' most=1
      ;;
    help)
      options='--help --version'
      operand='serve send inspect completions' most=1
      ;;
    *) return ;;
  esac

  # What stands before the cursor: operands, and perhaps an option that waits for its value.
  # "--name=value" comes as three words.
  while ((i < COMP_CWORD)); do
    word=${COMP_WORDS[i++]}
    if [[ $plain || $word != -?* ]]; then
      ((++operands))
    elif [[ $word == -- ]]; then
      plain=yes
    elif _netdump_value "$command" "$word"; then
      if [[ ${COMP_WORDS[i]} == '=' ]]; then ((++i)); fi
      if ((i >= COMP_CWORD)); then expects=$kind; fi
      ((++i))
    fi
  done

  if [[ $expects ]]; then
    if [[ $cur == '=' ]]; then cur=''; fi
    _netdump_offer "$expects"
  elif [[ ! $plain ]] && [[ $cur == -* || $most == 0 ]]; then
    _netdump_words "$options"
  elif ((operands < most)); then
    _netdump_offer "$operand"
  fi
}

complete -F _netdump netdump
