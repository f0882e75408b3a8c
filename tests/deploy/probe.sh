#!/usr/bin/env bash
# Runs inside of the system that booted.py boots: lives through what an operator does, and says what came of it as
# `name=value` lines in /out/told. KEY is a client's key.
exec 2>/out/errors >/out/told
set -u

tell() { printf '%s=%s\n' "$1" "$2"; }
of() { systemctl show --property "$2" --value "$1"; }
ask() { # ask MODEL: the status
    curl --silent --output /dev/null --max-time 10 --write-out '%{http_code}' http://127.0.0.1:4000/v1/completions \
        --header "authorization: Bearer $KEY" --header 'content-type: application/json' \
        --data "{\"model\": \"$1\", \"prompt\": \"x\"}"
}
leave() { # nothing more can be seen
    journalctl --unit sluice --unit sluice@next --output cat --no-pager | grep -v '"event":"request"' >/out/journal
    systemctl poweroff --force
    exit
}
until_is() { # until_is EXPECTED COMMAND…: waits some seconds for it; what it said last
    local end=$((SECONDS + 15)) said=''
    while said=$("${@:2}") && [[ $said != "$1" ]] && ((SECONDS < end)); do sleep 0.1; done
    printf '%s' "$said"
}

/usr/local/bin/sluice mock --listen 127.0.0.1:4010 >/dev/null &

# Ready when it says so, and no sooner.
systemctl start sluice
tell start "$? $(of sluice Type) $(of sluice ActiveState)"
[[ $(of sluice MainPID) != 0 ]] || leave
tell health "$(/usr/local/bin/sluice health | tail -n 1)"
main=$(of sluice MainPID)
tell user "$([[ $(stat --format %u "/proc/$main") == 0 ]] && echo root || echo another)"
for name in NoNewPrivs Seccomp CapEff CapBnd; do tell "$name" "$(sed -n "s/^$name:\t//p" "/proc/$main/status")"; done
tell state "$(stat --format '%a %F' /var/lib/private/sluice/usage.sqlite)"
tell asked "$(ask one)"

# Reload: what is added is there, and the process is the same.
tell before "$(ask two)"
sed -i 's/^models:$/&\n  - {name: two, targets: [{provider: openai, model: two}]}/' /etc/sluice/sluice.yaml
systemctl reload sluice
tell reload "$? $(until_is 200 ask two)"
tell same "$([[ $(of sluice MainPID) == "$main" ]] && echo yes || echo no)"

# An upgrade: somebody asks all the time.
while [[ ! -e /run/enough ]]; do ask one && echo && sleep 0.05; done >/out/upgrade &
systemctl start sluice@next
tell next "$? $(of sluice@next ActiveState)"
systemctl restart sluice
tell restart "$? $([[ $(of sluice MainPID) == "$main" ]] && echo same || echo another)"
systemctl stop sluice@next
tell stop_next "$? $(of sluice@next Result)"
touch /run/enough && wait "$!"
tell upgrade "$(sort /out/upgrade | uniq -c | xargs)"

# A process that hangs is replaced.
main=$(of sluice MainPID)
[[ $main != 0 ]] || leave
kill -STOP "$main"
tell watchdog "$(until_is 1 of sluice NRestarts) $(until_is active of sluice ActiveState) $(ask one)"

systemctl stop sluice
tell stop "$? $(of sluice Result) $(of sluice ExecMainStatus)"

# Instances alone may take turns as well, and the service comes back after them.
systemctl start sluice@one
tell alone "$? $(ask one)"
systemctl start sluice@two && systemctl stop sluice@one
tell turn "$? $(ask one)"
systemctl start sluice && systemctl stop sluice@two
tell back "$? $(ask one)"
systemctl stop sluice

# A configuration that is not valid does not start, says why (before the start, and at it), and is not tried again.
echo 'nonsense: 1' >>/etc/sluice/sluice.yaml
systemctl start sluice
tell invalid "$? $(journalctl --unit sluice --output cat | grep -c 'unknown field.*nonsense')"
sleep 4
tell tries "$(of sluice NRestarts) $(of sluice ActiveState)"
leave
