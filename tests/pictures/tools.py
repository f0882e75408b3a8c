"""What the pictures need, installed when it is missing: Debian packages, Grafana's from npm, the page's bundle."""

import os
import pathlib
import shutil
import subprocess
import sys

import harness

HERE = pathlib.Path(__file__).resolve().parent
OUT = harness.ROOT / "target/pictures"
MODULES = OUT / "node_modules"
APT = {"prometheus": "prometheus", "chromium": "chromium", "node": "nodejs", "npm": "npm", "pngquant": "pngquant"}
FONTS = pathlib.Path("/usr/share/fonts/opentype/inter")


def ready():
    OUT.mkdir(parents=True, exist_ok=True)
    missing = [package for command, package in APT.items() if not shutil.which(command)]
    if not FONTS.exists():
        missing.append("fonts-inter")
    if missing:
        apt(missing)
    packages()
    bundle()


def apt(names):
    print(f"installs {', '.join(names)} (apt)", file=sys.stderr)
    root = [] if os.geteuid() == 0 else ["sudo", "-n"]
    install = [*root, "env", "DEBIAN_FRONTEND=noninteractive", "apt-get", "install", "-y", "-q"]
    install += ["--no-install-recommends", *names]
    if subprocess.run(install, stdout=subprocess.DEVNULL).returncode:
        subprocess.run([*root, "apt-get", "update", "-q"], stdout=subprocess.DEVNULL, check=True)
        subprocess.run(install, stdout=subprocess.DEVNULL, check=True)


def shrink(picture, target):
    """Writes a picture with 256 colours, which is a third of its size, and nobody sees it."""
    command = ["pngquant", "--force", "--speed", "1", "--strip", "--output", target, "256", picture]
    subprocess.run(command, check=True)


def packages():
    """Grafana's components: 640 MB, so they live in target/ and come once."""
    wanted, installed = HERE / "package.json", OUT / "installed.json"
    if installed.exists() and installed.read_bytes() == wanted.read_bytes():
        return
    print("installs Grafana's components from npm into target/pictures", file=sys.stderr)
    shutil.copy(wanted, OUT / "package.json")
    npm = ["npm", "install", "--prefix", OUT, "--no-audit", "--no-fund", "--ignore-scripts", "--loglevel=error"]
    subprocess.run(npm, check=True, stdout=subprocess.DEVNULL)
    shutil.copy(wanted, installed)


def bundle():
    """page/main.jsx and all it imports as target/pictures/page/main.{js,css}."""
    command = [MODULES / ".bin/esbuild", HERE / "page/main.jsx", "--bundle", f"--outdir={OUT / 'page'}"]
    command += ["--jsx=automatic", "--define:process.env.NODE_ENV='production'", "--loader:.ttf=empty"]
    command += ["--log-level=warning", "--minify"]
    subprocess.run(command, check=True, env=os.environ | {"NODE_PATH": str(MODULES)})
    for name in ("index.html", "page.css"):
        shutil.copy(HERE / "page" / name, OUT / "page")
