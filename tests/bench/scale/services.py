"""services.py SERVICES ENDPOINTS PORT…: as many [service] sections on standard output, ENDPOINTS among them all. Service i claims
10.A.B.1 and sI.mesh.test, port 8080; its endpoints are addresses of 127.0.0.0/8, on the ports in turn."""
import sys


def endpoint(index, ports):
    return f"127.{index // 62500 + 1}.{index // 250 % 250}.{index % 250 + 1}:{ports[index % len(ports)]}"


def section(index, endpoints):
    return f"""[service s{index}]
host     = s{index}.mesh.test, 10.{index // 256}.{index % 256}.1
port     = 8080
identity = default/server
endpoints = {",".join(chr(10) + "    " + text for text in endpoints).lstrip()}
"""


def main():
    services, total, *ports = (int(word) for word in sys.argv[1:])
    each = total // services
    for index in range(services):
        print(section(index, [endpoint(index * each + i, ports) for i in range(each)]))


main()
