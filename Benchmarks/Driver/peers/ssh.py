"""OpenSSH on the loopback, with keys and a configuration of its own, by a control master."""

import getpass
import os
import shutil
import subprocess

from peers.socat import free_port, rate
from streams import source

DAEMON = shutil.which("sshd") or "/usr/sbin/sshd"
# A daemon that is started by root insists on it; packages make it when their service starts.
PRIVILEGE_SEPARATION = "/run/sshd"


def is_there():
    return os.path.exists(DAEMON) and shutil.which("ssh") is not None


def throughput(bench, count):
    """GiB/s of a command's output."""
    with bench.sandbox() as sandbox:
        client = connect(sandbox)
        gate = sandbox.make_gate()
        ssh = sandbox.start(*client, *source(sandbox, "gate", gate, "bulk", count))
        watching = sandbox.start(sandbox.tool("viewer"), "raw", "-", stdin=ssh.popen.stdout)
        watching.expect("ready")
        return rate(watching, sandbox.open_gate(gate), count)


def exec_rate(bench, count):
    """Commands a second, one after the other; each is a client of its own."""
    with bench.sandbox() as sandbox:
        result = sandbox.start(
            sandbox.tool("spawn"), count, 1, *connect(sandbox), "/bin/true").result()
        return result["count"] / result["seconds"]


def connect(sandbox):
    """Starts a daemon and a control master; returns the command line of a client."""
    directory, port = sandbox.directory, free_port()
    for name in ("host", "user"):
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", directory / name],
                       check=True)
    shutil.copy(directory / "user.pub", directory / "authorized")
    if os.geteuid() == 0:
        os.makedirs(PRIVILEGE_SEPARATION, mode=0o755, exist_ok=True)
    # SHLVL keeps bash from reading the user's .bashrc, which can take longer than all of ssh.
    (directory / "daemon.conf").write_text(
        f"ListenAddress 127.0.0.1:{port}\nHostKey {directory}/host\nPidFile none\n"
        f"AuthorizedKeysFile {directory}/authorized\nStrictModes no\nUsePAM no\n"
        "SetEnv SHLVL=2\nPasswordAuthentication no\nPermitRootLogin prohibit-password\n")
    daemon = sandbox.start(DAEMON, "-D", "-e", "-f", directory / "daemon.conf",
                           stderr=subprocess.PIPE)
    daemon.expect("Server listening", daemon.popen.stderr)
    (directory / "client.conf").write_text(
        f"Host bench\n HostName 127.0.0.1\n Port {port}\n User {getpass.getuser()}\n"
        f" IdentityFile {directory}/user\n IdentitiesOnly yes\n StrictHostKeyChecking no\n"
        f" UserKnownHostsFile /dev/null\n LogLevel ERROR\n ControlPath {directory}/master\n"
        " BatchMode yes\n")
    client = [shutil.which("ssh"), "-F", str(directory / "client.conf")]
    # Says hello through the master once it is up, then stays until the sandbox ends.
    master = sandbox.start(*client, "-M", "bench", "echo up; exec sleep 1000")
    master.expect("up")
    return [*client, "bench"]
