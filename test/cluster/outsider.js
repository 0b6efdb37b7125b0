// A third party's operator, on a framework of its own: it registers the CRD and watches IngressRoutes, and prints what
// it sees, a line of JSON for each event. It runs in a process of its own, since the framework ends it on any reset.
import operatorModule from '@dot-i/k8s-operator';

const Operator = operatorModule.default;

class Outsider extends Operator {
  async init() {
    const { group, versions, plural } = await this.registerCustomResourceDefinition(process.argv[2]);
    print({ registered: `${plural}.${group}/${versions[0].name}` });
    await this.watchResource(group, versions[0].name, plural, async ({ type, object, meta }) => {
      const ready = object.status?.conditions?.find((condition) => condition.type === 'Ready');
      print({ type, name: meta.name, ready: ready?.status ?? '' });
    });
    print({ watching: plural });
  }
}

function print(line) {
  process.stdout.write(`${JSON.stringify(line)}\n`);
}

const silent = {
  debug: () => {},
  info: () => {},
  warn: () => {},
  error: (message) => process.stderr.write(`${message}\n`),
};
await new Outsider(silent).start();
